#pragma once
/*
 * Every limit that bounds what a peer, a file or a user can make us hold or do. Nothing in the harness grows without
 * one of these. Sizes in octets, times in milliseconds.
 */
enum {
	/* base */
	ERR_TEXT_MAX = 512,            /* one sentence for the user, NUL included */
	CONF_FILE_MAX = 1 << 20,       /* a target, scenario or result-independent YAML file */
	CONF_DEPTH_MAX = 16,           /* nesting of a YAML file */
	CONF_KEYS_MAX = 1024,          /* keys of one mapping of a YAML file */
	CONF_TREE_MAX = 64 << 20,      /* octets that the tree of a YAML file may take while it is read */
	OPT_ROWS_MAX = 256,            /* rows of one option table */
	RESULT_FILE_MAX = 256 << 20,   /* result.json or history.jsonl given back to us */

	/* net */
	DIAL_ADDRESSES_MAX = 8,        /* addresses kept of one name */
	STREAM_UNSENT_MAX = 64 << 20,  /* octets queued in one stream before a write is refused with -ENOBUFS */
	STREAM_READ_CHUNK = 64 << 10,  /* largest span handed to on_data */

	/* ws */
	HANDSHAKE_REPLY_MAX = 64 << 10, /* octets of a reply head; a server that sends more is judged, not stored */
	HANDSHAKE_FIELDS_MAX = 256,    /* header fields in a reply */
	FRAME_PAYLOAD_KEEP_MAX = 32 << 20, /* largest payload we will hold to compare with what we sent */
	CONTROL_PAYLOAD_MAX = 125,     /* RFC 6455 5.5 */
	CLOSE_REASON_MAX = 123,        /* RFC 6455 5.5.1 */

	/* run */
	JOBS_DEFAULT = 64,
	JOBS_MAX = 1024,
	CASE_TIMEOUT_MS = 5000,        /* default deadline of one await; the target's, see `timeout` */
	CONNECT_TIMEOUT_MS = 5000,
	CASE_ARENA_MAX = 128 << 20,    /* everything one running case may hold */
	CASE_RECEIVE_MAX = 96 << 20,   /* octets one connection of a case may send us before it is judged endless */
	CASE_KEPT_ALL_MAX = 512 << 20, /* octets that all connections together may keep of unfinished and answered messages */
	CASE_FRAMES_MAX = 200000,      /* frames one connection of a case may send us before it is judged endless */
	TRANSCRIPT_MAX = 256 << 10,    /* octets of one transcript file, beginning and end kept */
	TRANSCRIPT_PAYLOAD_MAX = 512,  /* octets of one payload shown in hex */
	SEEN_TEXT_MAX = 400,           /* "seen" of a result */
	SUMMARY_MAX = 1 << 20,         /* summary.md: what a job summary accepts */
};
