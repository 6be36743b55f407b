#ifndef SERVER_LIST_H
#define SERVER_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A circular list through links that sit in its members. The head is a link of its own; a member that is in no list is
 * linked to itself.
 */
struct link {
	struct link *prev, *next;
};

#define LIST_ENTRY(link, type, field) ((type *)(void *)((char *)(link) - offsetof(type, field)))

static inline void list_init(struct link *link)
{
	link->prev = link;
	link->next = link;
}

static inline bool list_empty(const struct link *head)
{
	return head->next == head;
}

static inline void list_append(struct link *head, struct link *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/* Leaves it linked to itself, so that doing it twice is harmless. */
static inline void list_remove(struct link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

#endif
