#pragma once
/*
 * Who may use the API: it can reset every connection of a deployment, so it listens on loopback unless told otherwise,
 * and elsewhere it wants a token. On loopback, other processes of this machine are trusted, but pages in its browser
 * are not: as Toxiproxy does, browsers are refused by their User-Agent, by the Host field, because a page whose
 * name was made to point to 127.0.0.1 (DNS rebinding) still sends its own name there, and by the fields that a page
 * cannot take away from what it sends: Origin (RFC 6454 7) and Sec-Fetch-Site (Fetch Metadata). There is no CORS.
 */
#include "harness/base/err.h"
#include "harness/proxy/http.h"

enum { API_TOKEN_MIN = 16, API_TOKEN_MAX = 4096 };

struct api_door {
	const char *token;         /* NULL: none is wanted */
	bool local;                /* the API listens on loopback */
};

/* A token that may be used: API_TOKEN_MIN to API_TOKEN_MAX visible ASCII characters. -EINVAL with a sentence. */
int api_token_check(const char *token, struct err *e);
/* 0, or the status of the refusal (401, 403) with a sentence. */
unsigned api_admit(const struct api_door *door, const struct http_request *q, struct err *e);
