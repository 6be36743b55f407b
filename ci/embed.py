#!/usr/bin/python3
"""Writes text files into C.

embed.py INPUT OUTPUT NAME: a string. embed.py --table OUTPUT NAME INPUT...: a table of {name, text}.
"""
import pathlib
import sys


def string(path, indent):
    """The file as a C string literal, one line of it a line."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    return "".join('%s"%s\\n"\n' % (indent, line.replace("\\", "\\\\").replace('"', '\\"')) for line in lines)


if sys.argv[1] == "--table":
    output, name, *inputs = sys.argv[2:]
    rows = ("\t{\"%s\",\n%s\t},\n" % (pathlib.Path(path).stem, string(path, "\t ")) for path in inputs)
    text = "static const struct {\n\tconst char *name, *text;\n} %s[] = {\n%s};\n" % (name, "".join(rows))
    about = "files"
else:
    source, output, name = sys.argv[1:]
    text = "static const char %s[] =\n%s\t;\n" % (name, string(source, "\t"))
    about = source.rsplit("/", 1)[-1]
with open(output, "w", encoding="utf-8") as f:
    f.write("/* made from %s by embed.py */\n%s" % (about, text))
