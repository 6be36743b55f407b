/* Names of opcodes. The table is opcodes.def; this file only adds what is not in it: the ten reserved values. */
#include "harness/ws/opcode.h"

static const char *const names[16] = {
	[0x3] = "reserved-3", [0x4] = "reserved-4", [0x5] = "reserved-5", [0x6] = "reserved-6", [0x7] = "reserved-7",
	[0xb] = "reserved-b", [0xc] = "reserved-c", [0xd] = "reserved-d", [0xe] = "reserved-e", [0xf] = "reserved-f",
#define OPCODE(NAME, value, name, control) [value] = name,
#include "harness/ws/opcodes.def"
#undef OPCODE
};

#define OPCODE(NAME, value, name, control) \
	_Static_assert((control) == (((value) & 0x8) != 0), "6455 5.5: control opcodes are those with the top bit");
#include "harness/ws/opcodes.def"
#undef OPCODE

const char *opcode_name(uint8_t opcode)
{
	return opcode < 16 ? names[opcode] : "not an opcode";
}

bool opcode_is_reserved(uint8_t opcode)
{
	switch (opcode) {
#define OPCODE(NAME, value, name, control) case value:
#include "harness/ws/opcodes.def"
#undef OPCODE
		return false;
	}
	return true;
}
