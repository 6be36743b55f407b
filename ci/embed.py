#!/usr/bin/python3
"""Writes a text file as a C string: embed.py INPUT OUTPUT NAME."""
import sys

source, output, name = sys.argv[1:]
with open(source, encoding="utf-8") as f:
    lines = f.read().splitlines()
with open(output, "w", encoding="utf-8") as f:
    f.write("/* made from %s by embed.py */\nstatic const char %s[] =\n" % (source.rsplit("/", 1)[-1], name))
    for line in lines:
        f.write('\t"%s\\n"\n' % line.replace("\\", "\\\\").replace('"', '\\"'))
    f.write("\t;\n")
