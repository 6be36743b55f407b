"""Writes a text file as a C string: embed.py INPUT OUTPUT NAME. One literal a line, so that no compiler's limit on literals is met in one piece."""
import sys

source, output, name = sys.argv[1:]
with open(source, encoding="ascii") as f:
    lines = f.read().splitlines()
with open(output, "w", encoding="ascii") as f:
    f.write("/* made from %s by embed.py */\n" % source.rsplit("/", 1)[-1])
    f.write("static const char *const %s[] = {\n" % name)
    for line in lines:
        line = line.strip()
        if line and not (line.startswith("/*") and line.endswith("*/")):
            f.write('\t"%s",\n' % line.replace("\\", "\\\\").replace('"', '\\"'))
    f.write("\tNULL,\n};\n")
