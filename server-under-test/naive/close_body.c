/* Close bodies and codes (RFC 6455 7.4 and the IANA registry: 1012 to 1014 came after the RFC). */
#include "server-under-test/naive/close_body.h"

#include <string.h>

#include "server-under-test/defects.h"
#include "server-under-test/base/utf8.h"

static bool code_may_be_sent(unsigned code)
{
	if (defect(close_reserved_accepted) && (code == 1005 || code == 1006 || code == 1015))
		return true;
	if (defect(close_below_1000_accepted) && code < 1000)
		return true;
	if (defect(close_application_refused) && code >= 3000)
		return code < 4000;
	if (code >= 3000 && code <= 4999)
		return true;
	return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

struct frame_fault close_check(const uint8_t *body, size_t len)
{
	struct utf8 utf8 = { 0 };

	if (len == 1 && !defect(close_one_octet_accepted))
		return (struct frame_fault){ 1002, "a Close with one octet" };
	if (len < 2)
		return (struct frame_fault){ 0 };
	if (!code_may_be_sent((unsigned)(body[0] << 8 | body[1])))
		return (struct frame_fault){ 1002, "a close code that may not be sent" };
	if (defect(close_reason_refused) && len > 2)
		return (struct frame_fault){ 1002, "a Close with a reason" };
	if (!defect(close_reason_unchecked) && (!utf8_feed(&utf8, body + 2, len - 2) || !utf8_complete(&utf8)))
		return (struct frame_fault){ 1007, "the reason is not UTF-8" };
	return (struct frame_fault){ 0 };
}

void close_reply(struct bytes *out, const uint8_t *body, size_t len)
{
	uint8_t reply[FRAME_CONTROL_MAX] = { 0x03, 0xed };
	size_t reply_len = len < 2 ? 0 : 2;

	if (defect(close_reason_unchecked) || (defect(close_one_octet_accepted) && len == 1))
		reply_len = len;
	memcpy(reply, body, reply_len);
	if (defect(close_reply_1005) && len == 0)
		reply_len = 2;
	if (defect(close_reply_byte_order) && len >= 2) {
		reply[0] = body[1];
		reply[1] = body[0];
	}
	if (defect(close_reply_one_octet))
		reply_len = 1;
	frame_write(out, OPCODE_CLOSE, reply, reply_len);
	if (defect(close_answered_twice))
		frame_write(out, OPCODE_CLOSE, reply, reply_len);
}

void close_write(struct bytes *out, unsigned code, const char *reason)
{
	uint8_t body[FRAME_CONTROL_MAX] = { (uint8_t)(code >> 8), (uint8_t)code };
	size_t len = strlen(reason);

	if (len > FRAME_CONTROL_MAX - 2)
		len = FRAME_CONTROL_MAX - 2;
	memcpy(body + 2, reason, len);
	frame_write(out, OPCODE_CLOSE, body, 2 + len);
}

unsigned close_fail_code(unsigned code)
{
	return defect(fail_code_1006) ? 1006 : code;
}
