#pragma once
/*
 * The YAML text of a file as a tree that knows where each node stands; conf.c reads it by option table. Not for others:
 * conf.h is the interface. Built from libyaml's events, so that depth, size and refused constructs end the work at
 * once, before memory or time is spent on them.
 */
#include "harness/base/arena.h"
#include "harness/base/err.h"

enum conf_kind { CONF_SCALAR, CONF_SEQUENCE, CONF_MAPPING };

struct conf_node {
	enum conf_kind kind;
	bool plain;                   /* CONF_SCALAR: written without quotes and not as a block */
	size_t line, column;          /* from 1; the column in characters */
	const char *text;             /* CONF_SCALAR: UTF-8, ends with NUL and holds no other */
	const struct conf_node *key;  /* of an entry of a mapping: its key, a CONF_SCALAR */
	struct conf_node *first, *next; /* CONF_SEQUENCE, CONF_MAPPING: the entries in order */
};

/*
 * The root, a CONF_MAPPING, in the arena; on failure -EINVAL, -EFBIG or -ENOMEM, and the sentence as conf.h promises
 * it.
 */
int conf_tree_read(struct span text, const char *name, struct arena *a, struct conf_node **ret, struct err *e);

/* Fills e with "name:line:column: " and the sentence; returns -EINVAL. */
int conf_fail(struct err *e, const char *name, size_t line, size_t column, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * What YAML 1.2 (chapter 10.3, core schema) takes a plain scalar for: "a number", "a truth value", "nothing", or NULL
 * for a string.
 */
const char *conf_plain_type(const char *text);
