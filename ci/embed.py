#!/usr/bin/python3
"""Writes text files as C strings.

    embed.py INPUT OUTPUT NAME          static const char NAME[] = "...";
    embed.py --rows OUTPUT INPUT...     {"folder", "name", "..."}, for each, to be included in an array
"""
import pathlib
import sys


def literal(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return "".join('\t"%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)


def main(args):
    if args[0] == "--rows":
        inputs = [pathlib.Path(p) for p in args[2:]]
        text = "".join('{"%s", "%s",\n%s},\n' % (p.parent.name, p.stem, literal(p)) for p in inputs)
        pathlib.Path(args[1]).write_text("/* made by embed.py */\n" + text, encoding="utf-8")
        return
    source, output, name = pathlib.Path(args[0]), pathlib.Path(args[1]), args[2]
    text = "/* made from %s by embed.py */\nstatic const char %s[] =\n%s\t;\n" % (source.name, name, literal(source))
    output.write_text(text, encoding="utf-8")


main(sys.argv[1:])
