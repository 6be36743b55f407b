#pragma once
/*
 * Signatures of requests that a dialect publishes with.
 *
 * Pusher's HTTP API (docs: "Generating authentication signatures"): the query gets auth_key, auth_timestamp,
 * auth_version and body_md5, in this order, and behind them auth_signature, an HMAC with SHA-256 and the secret of
 * method, path and the query so far, with line ends between.
 */
#include "harness/base/buf.h"

enum sign { SIGN_NOTHING, SIGN_PUSHER };

struct sign_request {
	const char *method;
	struct span body;
	struct span key, secret;
	uint64_t unix_s;           /* seconds since 1970: a server takes a signature for some minutes */
};

/* Adds to the target, a path without a query. -ENOTSUP, -ENOBUFS, -ENOMEM. */
int sign_pusher(const struct sign_request *r, struct buf *target);
