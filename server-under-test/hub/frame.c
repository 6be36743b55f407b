/*
 * A message goes to many connections as the same octets, so they are made once: the head written by hand in front of
 * the text, and compressed at most once too. One compressor serves every frame; it is reset before each, which is what
 * makes the outcome independent of the connection.
 */
#include "server-under-test/hub/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#define FRAME_HEAD_MAX 10 /* octets, unmasked */
#define FRAME_FIN_TEXT 0x81
#define FRAME_RSV1 0x40 /* RFC 7692 6: this message is compressed */
#define DEFLATE_MEM_LEVEL 8
#define DEFLATE_TAIL 4 /* RFC 7692 7.2.1: the octets 00 00 ff ff at the end are not sent */
#define DEFLATE_FLUSH_ROOM 16 /* what the flush may add to deflateBound */

/* RFC 6455 5.2: the shortest form. Returns its octets. */
static size_t write_head(uint8_t head[FRAME_HEAD_MAX], uint8_t first, size_t len)
{
	size_t bytes = len < 126 ? 0 : len < 65536 ? 2 : 8;

	head[0] = first;
	head[1] = (uint8_t)(bytes == 0 ? len : bytes == 2 ? 126 : 127);
	for (size_t i = 0; i < bytes; i++)
		head[2 + i] = (uint8_t)((uint64_t)len >> (8 * (bytes - 1 - i)));
	return 2 + bytes;
}

/* The payload is for the caller to write. */
static struct frame *frame_alloc(uint8_t first, size_t len)
{
	uint8_t head[FRAME_HEAD_MAX];
	size_t head_len = write_head(head, first, len);
	struct frame *frame = malloc(sizeof(*frame) + head_len + len);

	if (!frame)
		abort();
	*frame = (struct frame){ .refs = 1, .len = head_len + len, .payload = head_len };
	memcpy(frame->octets, head, head_len);
	return frame;
}

struct frame *frame_join(const struct text *pieces, size_t count)
{
	struct frame *frame;
	size_t len = 0, at;

	for (size_t i = 0; i < count; i++)
		len += pieces[i].len;
	frame = frame_alloc(FRAME_FIN_TEXT, len);
	at = frame->payload;
	for (size_t i = 0; i < count; i++) {
		if (pieces[i].len)
			memcpy(frame->octets + at, pieces[i].p, pieces[i].len);
		at += pieces[i].len;
	}
	return frame;
}

struct frame *frame_text(const char *text, size_t len)
{
	struct text piece = text_of(text, len);

	return frame_join(&piece, 1);
}

struct frame *frame_make(uint8_t first, const void *payload, size_t len)
{
	struct frame *frame = frame_alloc(first, len);

	if (len > 0)
		memcpy(frame->octets + frame->payload, payload, len);
	return frame;
}

struct frame *frame_ref(struct frame *frame)
{
	frame->refs++;
	return frame;
}

void frame_unref(struct frame *frame)
{
	if (!frame)
		return;
	assert(frame->refs > 0);
	if (--frame->refs > 0)
		return;
	if (frame->deflated != frame)
		frame_unref(frame->deflated);
	free(frame);
}

/* Into out; returns the octets without the tail, 0 when they do not fit. */
static size_t compress_into(uint8_t *out, size_t room, const char *text, size_t len)
{
	static z_stream stream;
	static bool ready;

	if (!ready && deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -FRAME_DEFLATE_BITS, DEFLATE_MEM_LEVEL,
				   Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	if (ready)
		deflateReset(&stream);
	ready = true;
	stream.next_in = (z_const Bytef *)(uintptr_t)text;
	stream.avail_in = (uInt)len;
	stream.next_out = out;
	stream.avail_out = (uInt)room;
	deflate(&stream, Z_SYNC_FLUSH);
	if (stream.avail_in || stream.avail_out == 0 || room - stream.avail_out < DEFLATE_TAIL)
		return 0;
	return room - stream.avail_out - DEFLATE_TAIL;
}

static struct frame *deflated_or_null(const struct frame *frame)
{
	size_t len = frame_payload_len(frame);
	size_t room = compressBound(len) + DEFLATE_FLUSH_ROOM;
	struct frame *deflated = NULL;
	uint8_t *out;
	size_t out_len;

	if (len < FRAME_DEFLATE_MIN || len > UINT32_MAX / 2)
		return NULL;
	out = malloc(room);
	if (!out)
		abort();
	out_len = compress_into(out, room, frame_payload(frame), len);
	if (out_len && out_len < len) {
		deflated = frame_alloc(frame->octets[0] | FRAME_RSV1, out_len);
		memcpy(deflated->octets + deflated->payload, out, out_len);
		deflated->deflated = deflated;
	}
	free(out);
	return deflated;
}

struct frame *frame_deflated(struct frame *frame)
{
	if (!frame->deflated)
		frame->deflated = deflated_or_null(frame);
	if (!frame->deflated)
		frame->deflated = frame;
	return frame->deflated;
}
