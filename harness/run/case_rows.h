#pragma once
/*
 * The words that case rows are written in. For suites/ (and for the few rows inside harness/run) only: short names such as ECHO would
 * clash with system headers elsewhere.
 */
#include "harness/run/case.h"

/* Payloads */
#define LIT(s) {.lit = (s), .lit_len = sizeof(s) - 1}
#define PATTERN(n) {.pattern = (n)}
#define REPEAT_LIT(s, n) {.lit = (s), .lit_len = sizeof(s) - 1, .pattern = (n), .repeat_lit = true}
#define EMPTY {.lit = "", .lit_len = 0}
#define PATTERN_ITER {.pattern = SIZE_MAX} /* as many octets as the number of the repeat */
/* As many octets as the contract's max_message, and one more; the case needs NEED_MAX_MESSAGE. */
#define PATTERN_LIMIT {.pattern = SIZE_MAX - 1}
#define PATTERN_LIMIT_PLUS_1 {.pattern = SIZE_MAX - 2}

#define STEPS(...) .steps = (const struct step[]){__VA_ARGS__, {.kind = STEP_END}}

/* Request. In all texts {host} {target} {key} {subprotocol} {forbidden_origin} {allowed_origin} {origin_host} and {absent} {protected}
 * {redirect} {text_only} {other} are replaced by what the target file or URL says. {SUBPROTOCOL} is {subprotocol} with the case of its
 * letters swapped; {accept} is the Sec-WebSocket-Accept that the key of the last request asks for (of the first one, blanks around it removed). */
#define TEXT_(s) .text = (s), .text_len = sizeof(s) - 1
#define METHOD(s) {.kind = STEP_METHOD, TEXT_(s)}
#define TARGET(s) {.kind = STEP_TARGET, TEXT_(s)}
#define VERSION(s) {.kind = STEP_VERSION, TEXT_(s)}
#define SET(n, s) {.kind = STEP_SET, .name = (n), TEXT_(s)}
#define ADD(n, s) {.kind = STEP_ADD, .name = (n), TEXT_(s)}
#define DROP(n) {.kind = STEP_DROP, .name = (n)}
#define FIELD_RAW(s) {.kind = STEP_FIELD_RAW, TEXT_(s)}
#define REQUEST_RAW(s) {.kind = STEP_REQUEST_RAW, TEXT_(s)}
#define BODY(s) {.kind = STEP_BODY, TEXT_(s)}
#define SHUFFLE {.kind = STEP_SHUFFLE}
#define LF_ONLY {.kind = STEP_LF_ONLY}
#define PADDING(n) {.kind = STEP_PADDING, .number = (n)}
#define NO_SEND {.kind = STEP_NO_SEND}
#define PLAIN_TCP {.kind = STEP_PLAIN}

/* Reply */
#define HTTP(...) {.kind = STEP_HTTP, .http = {__VA_ARGS__}}
#define OPENS HTTP(.open = GRADE_PASS)
/* reject(S): one of these statuses; another 4xx is a pass with a note (RFC 6455 4.2.1 asks for "an appropriate error code"); 5xx, 2xx, 3xx and a bare
 * close are warns; 101 is a fail. */
#define REJECTS(...) HTTP(.pass = {__VA_ARGS__}, .client_error = GRADE_NOTE, .server_error = GRADE_WARN, .ok = GRADE_WARN, .redirect = GRADE_WARN, .closed = GRADE_WARN)
/* Never 101; any plain HTTP reply is fine, and none at all is a warn. */
#define NEVER_OPENS HTTP(.silent = GRADE_WARN, .client_error = GRADE_PASS, .server_error = GRADE_PASS, .ok = GRADE_PASS, .redirect = GRADE_PASS, .closed = GRADE_WARN)
/* Both are allowed. */
#define OPENS_OR_REJECTS(...) HTTP(.open = GRADE_PASS, .pass = {__VA_ARGS__}, .client_error = GRADE_NOTE, .server_error = GRADE_WARN, .ok = GRADE_WARN, .redirect = GRADE_WARN, .closed = GRADE_WARN)
#define FIELD_HAS(n, s) {.kind = STEP_FIELD_HAS, .name = (n), .text = (s)}
#define FIELD_LACKS(n, s) {.kind = STEP_FIELD_LACKS, .name = (n), .text = (s)}
#define FIELD_IS(n, s) {.kind = STEP_FIELD_IS, .name = (n), .text = (s)}
/* The same, looked at only when the reply has this status (or class: 1 to 5). */
#define FIELD_HAS_ON(status, n, s) {.kind = STEP_FIELD_HAS, .number = (status), .name = (n), .text = (s)}
#define FIELD_LACKS_ON(status, n, s) {.kind = STEP_FIELD_LACKS, .number = (status), .name = (n), .text = (s)}
#define FIELD_IS_ON(status, n, s) {.kind = STEP_FIELD_IS, .number = (status), .name = (n), .text = (s)}
/* After a refusal (runs only then): a masked Ping and a masked text are sent on the same connection, and what comes is read until TCP ends or a
 * short while has passed. Another HTTP reply or the end of TCP is right, even at once; a Pong or an echo fails the case. */
#define STRAY_FRAMES {.kind = STEP_STRAY}

/* Sending: SEND(TEXT, LIT("hello"), .more = true) */
#define SEND(OP, PAYLOAD, ...) {.kind = STEP_SEND, .frame = {.opcode = OPCODE_##OP, .payload = PAYLOAD, ##__VA_ARGS__}}
#define SEND_OPCODE(n, PAYLOAD, ...) {.kind = STEP_SEND, .frame = {.opcode = (n), .payload = PAYLOAD, ##__VA_ARGS__}}
#define MESSAGE(OP, PAYLOAD, ...) {.kind = STEP_MESSAGE, .frame = {.opcode = OPCODE_##OP, .payload = PAYLOAD, ##__VA_ARGS__}}
#define RAW(s) {.kind = STEP_RAW, TEXT_(s)}
#define RAW_BAD(s) {.kind = STEP_RAW, TEXT_(s), .number = 1}
#define SEND_CLOSE(code) {.kind = STEP_SEND_CLOSE, .number = (code), .text = "", .text_len = 0}
#define SEND_CLOSE_REASON(code, s) {.kind = STEP_SEND_CLOSE, .number = (code), TEXT_(s)}
#define SEND_CLOSE_EMPTY {.kind = STEP_SEND_CLOSE, .number = -1}
#define CHOP(n) {.kind = STEP_CHOP, .number = (n)}
#define CUT(n) {.kind = STEP_CUT, .number = (n)}
#define CUT_BEFORE_END(n) {.kind = STEP_CUT, .number = -1 - (n)}
#define GATHER {.kind = STEP_GATHER}
#define PAUSE(ms) {.kind = STEP_PAUSE, .number = (ms)}
#define FIN {.kind = STEP_FIN}
#define RESET {.kind = STEP_RESET}
#define STOP_READING {.kind = STEP_STOP_READING}
#define TRIGGER {.kind = STEP_TRIGGER}

/* Waiting */
#define ECHO {.kind = STEP_ECHO}
#define PONG {.kind = STEP_PONG}
#define PONG_WITHIN(ms) {.kind = STEP_PONG, .number = (ms)}
#define QUIET {.kind = STEP_QUIET}
#define ENDS(...) {.kind = STEP_ENDS, .end = {__VA_ARGS__}}
/* fail(C), see requirements-legend: Close C then FIN, FIN alone or RST pass; another sendable code or none warns; an unsendable one fails; so does
 * staying open. More codes may be listed: FAILS(1007, 1002). Extra: FAILS_WARN((1007), .warn = {1002}) style rows use ENDS(FAIL_BASE, ...). */
#define FAIL_BASE .normal = GRADE_WARN, .none = GRADE_NOTE, .other = GRADE_WARN, .same = GRADE_WARN, .fin = GRADE_PASS, .rst = GRADE_NOTE
#define FAILS(...) ENDS(FAIL_BASE, .pass = {__VA_ARGS__})
/* close(same|1000): one Close back with our code; 1000 or an empty body is noted; another sendable code warns; no Close at all fails. */
#define CLOSES ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE, .other = GRADE_WARN)
/* The connection ends, in whatever way. */
#define ENDS_ANYHOW ENDS(.same = GRADE_PASS, .normal = GRADE_PASS, .none = GRADE_PASS, .other = GRADE_PASS, .fin = GRADE_PASS, .rst = GRADE_PASS)
#define NEW_CONNECTION {.kind = STEP_NEW_CONNECTION}
#define ALIVE {.kind = STEP_ALIVE}
