/* The routes of toxics. A new toxic is on every open connection before the answer is sent. */
#include <assert.h>

#include "harness/base/clock.h"
#include "harness/proxy/api_internal.h"

static void show(struct api_call *c, const struct toxic *t)
{
	api_answer(c, 200, plan_show_toxic(t, clock_now_us()));
}

void api_list_toxics(struct api_call *c)
{
	json_t *list = json_array();
	for (const struct toxic *t = proxy_toxics(c->proxy)->first; t; t = t->next)
		json_array_append_new(list, plan_show_toxic(t, clock_now_us()));
	api_answer(c, 200, list);
}

void api_show_toxic(struct api_call *c)
{
	show(c, c->toxic);
}

void api_create_toxic(struct api_call *c)
{
	struct plan_toxic wanted;
	struct toxic *toxic = NULL;
	struct err e;
	int r = plan_read_toxic(c->body, &wanted, &e);
	if (r == 0)
		r = proxy_toxic_add(c->proxy, &wanted.spec, &toxic, &e);
	if (r == -EEXIST) {
		api_fail(c, 409, "toxic already exists: %s", e.text);
	} else if (r < 0) {
		api_refuse(c, r, &e);
	} else {
		assert(toxic);
		api_tell_toxic(c->api, "toxic.add", c->proxy, toxic);
		show(c, toxic);
	}
}

void api_change_toxic(struct api_call *c)
{
	const char *name = c->path.segments[3];
	struct plan_toxic wanted;
	struct err e;
	int r = plan_read_toxic_change(c->toxic, c->body, &wanted, &e);
	if (r == 0) {
		r = proxy_toxic_update(c->proxy, c->toxic, &wanted.spec, &e);
		plan_toxic_fini(&wanted);
	}
	const struct toxic *t = toxics_find(proxy_toxics(c->proxy), name); /* its duration may be over by now */
	if (r < 0) {
		api_refuse(c, r, &e);
	} else if (!t) {
		api_fail(c, 404, "toxic not found: its duration is over");
	} else {
		api_tell_toxic(c->api, "toxic.change", c->proxy, t);
		show(c, t);
	}
}

void api_delete_toxic(struct api_call *c)
{
	api_tell_toxic(c->api, "toxic.remove", c->proxy, c->toxic);
	proxy_toxic_remove(c->proxy, c->toxic);
	c->answer->status = 204;
}
