#pragma once
/* Opcodes, made from opcodes.def. */
#include <stdbool.h>
#include <stdint.h>

enum opcode {
#define OPCODE(NAME, value, name, control) OPCODE_##NAME = value,
#include "harness/ws/opcodes.def"
#undef OPCODE
};

/* "text", "ping", ...; "reserved 0xb" style names for the others ("reserved-3" ... "reserved-f"). Never NULL. */
const char *opcode_name(uint8_t opcode);
static inline bool opcode_is_control(uint8_t opcode) { return opcode & 0x8; }
bool opcode_is_reserved(uint8_t opcode);
