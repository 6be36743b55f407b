#pragma once
/* Grades of the reply to an opening handshake that several tables share; the basic ones are in harness/run/case.h. */
#include "harness/run/case_rows.h"

/* Never right, though the server has an excuse: refused with one of these statuses passes, 101 warns. */
#define REJECTS_OR_WARNS(...) \
	HTTP(.open = GRADE_WARN, .pass = {__VA_ARGS__}, .client_error = GRADE_NOTE, .server_error = GRADE_WARN, \
		.ok = GRADE_WARN, .redirect = GRADE_WARN, .closed = GRADE_WARN)
/* Right, though a refusal has an excuse. */
#define OPENS_OR_WARNS \
	HTTP(.open = GRADE_PASS, .client_error = GRADE_WARN, .server_error = GRADE_WARN, .ok = GRADE_WARN, \
		.redirect = GRADE_WARN, .closed = GRADE_WARN)
/* Refused in whatever way, a bare end of TCP included: octets that are hardly HTTP at all. */
#define REFUSES_ANYHOW \
	HTTP(.client_error = GRADE_PASS, .server_error = GRADE_NOTE, .ok = GRADE_NOTE, \
		.redirect = GRADE_NOTE, .closed = GRADE_NOTE)
/* The key of the RFC's example; its Accept is s3pPLMBiTxaQ9kYGzzhZRbK+xOo=. */
#define EXAMPLE_KEY "dGhlIHNhbXBsZSBub25jZQ=="
/* Everything but the request line of the standard request, for cases that write the request line by hand. */
#define REST_OF_REQUEST \
	"Host: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n" \
	"Sec-WebSocket-Version: 13\r\n\r\n"
/* Any reply with a status but 101; the end of TCP without one is the deviation. */
#define ANSWERS_WITH_A_STATUS \
	HTTP(.client_error = GRADE_PASS, .server_error = GRADE_PASS, .ok = GRADE_PASS, .redirect = GRADE_PASS)
