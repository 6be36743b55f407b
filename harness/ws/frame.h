#pragma once
/*
 * Frames, RFC 6455 5.2. The writer can send every wrong octet; the parser refuses nothing: it reads any sequence of
 * octets as frames and says what was wrong with each head. Recording comes first, judging later.
 */
#include "harness/base/buf.h"
#include "harness/ws/opcode.h"

enum { FRAME_HEAD_MAX = 14 };

/* How the payload length is written. AUTO: the shortest form. */
enum frame_form { FRAME_FORM_AUTO, FRAME_FORM_7, FRAME_FORM_16, FRAME_FORM_64 };

struct frame {
	bool fin;
	uint8_t rsv;               /* 3 bits: 4 = RSV1, 2 = RSV2, 1 = RSV3 */
	uint8_t opcode;            /* 4 bits */
	bool masked;
	uint8_t key[4];
	enum frame_form form;
	bool declare;              /* write `declared` as length whatever the payload is */
	uint64_t declared;
	struct span payload;       /* unmasked */
};

/*
 * Appends head and (masked) payload. 0, -ENOBUFS, -ENOMEM. FORM_7 with a length above 125 or FORM_16 above 65535
 * writes the low bits.
 */
int frame_write(struct buf *b, const struct frame *f);

struct frame_head {
	bool fin, masked;
	uint8_t rsv, opcode;
	uint8_t key[4];
	enum frame_form form;      /* 7, 16 or 64: the form on the wire */
	uint64_t len;              /* as declared, top bit kept */
	uint8_t size;              /* octets of the head, 2 to 14 */
};

/* 0: more octets needed; else the size of the head. Never fails: every octet sequence is some head. */
size_t frame_head_parse(struct span in, struct frame_head *ret_head);

/* What is wrong with a head taken alone; a bit set. Which of them matter depends on who sent it. */
enum frame_fault {
	FRAME_FAULT_RSV = 1 << 0,                /* any RSV bit (no extension agreed) */
	FRAME_FAULT_OPCODE = 1 << 1,             /* reserved opcode */
	FRAME_FAULT_NOT_MINIMAL = 1 << 2,        /* 5.2: shortest form not used */
	FRAME_FAULT_TOP_BIT = 1 << 3,            /* 5.2: top bit of a 64-bit length set */
	FRAME_FAULT_CONTROL_LONG = 1 << 4,       /* 5.5: control payload over 125, or an extended form */
	FRAME_FAULT_CONTROL_FRAGMENTED = 1 << 5, /* 5.5: control frame without FIN */
	FRAME_FAULT_MASKED = 1 << 6,             /* mask bit set: wrong from a server, right from a client */
};
unsigned frame_head_faults(const struct frame_head *h);

/*
 * Incremental reader. Callbacks may be NULL. Payload octets arrive unmasked when the head was masked, valid during
 * the call, in as many parts as it takes; none for an empty payload.
 */
struct frame_reader {
	void (*on_head)(void *owner, const struct frame_head *h);
	void (*on_payload)(void *owner, struct span part);
	void (*on_end)(void *owner);
	void *owner;

	uint8_t head_octets[FRAME_HEAD_MAX];
	uint8_t head_have;
	bool in_payload;
	bool stop;                 /* a callback sets it: frame_reader_feed returns after that callback */
	struct frame_head head;
	uint64_t payload_left, payload_seen;
};

void frame_reader_init(struct frame_reader *r, void *owner);
/*
 * Returns the octets consumed: s.len, or less when a callback set stop. Clears stop first, so the next call goes on
 * where this one stopped; when it stopped between the last octet of a frame and its on_end, the next call (an empty
 * span will do) delivers on_end.
 */
size_t frame_reader_feed(struct frame_reader *r, struct span s);
/* Inside a frame: a partial head or payload is pending. */
bool frame_reader_pending(const struct frame_reader *r);
