/*
 * backplane_partition: nodes and broker cannot reach each other, while both are well. Unlike backplane_pause, where the
 * broker hangs for everybody and nothing is lost, here what was sent is lost, or connections are cut and refused. It
 * needs something between them that can drop: a proxy (wsquall proxy or Toxiproxy) that the target file names with the
 * broker, as `proxy: NAME` and `proxy_api: URL`.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "faults/proxy_call.h"
#include "faults/undo.h"
#include "faults/which.h"

enum { PARTITION_PROXY_MAX = 100, PARTITION_PATH_MAX = 512, PARTITION_BODY_MAX = 512 };
enum partition_style { PARTITION_DROP, PARTITION_REJECT };
enum partition_direction { PARTITION_BOTH, PARTITION_TO, PARTITION_FROM };

struct backplane_partition_options {
	struct opt_strings nodes;
	int style, direction;
};

struct backplane_partition_state {
	struct which which;
	int undo[FAULT_NODES_MAX][2];
};

static void probe(const struct fault_site *site, struct fault_probe *ret)
{
	const struct fault_node_config *broker =
		site && site->backplane && site->backplane[0] ? fault_node_config(site->backplane[0]) : NULL;
	if (!broker || broker->proxy) {
		*ret = (struct fault_probe){.means = FAULT_DRIVEN, .why = "a proxy before the broker, which the target file "
										"names (proxy, proxy_api)"};
		return;
	}
	*ret = (struct fault_probe){
		.means = FAULT_MISSING,
		.why = "nothing stands between the nodes and the broker that could drop: let the nodes reach it through "
		       "`wsquall proxy` (or Toxiproxy) and name that in the target file (backplane: proxy, proxy_api). "
		       "backplane_pause is something else: there the broker hangs, here both ends are well"};
}

static int check_name(const char *name, struct err *e)
{
	for (const char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.", *c))
			return err_set(e, EINVAL, "'%.60s' cannot be the name of a proxy in a request", name);
	return strlen(name) <= PARTITION_PROXY_MAX ? 0 : err_set(e, EINVAL, "'%.60s...' is too long for a proxy's name", name);
}

/* DELETE of a toxic, or "enabled" again: words api, path, body ("": DELETE). */
static int change(struct fault_run *run, const struct fault_node_config *broker, const char *toxic, const char *body,
		  int *undo, struct err *e)
{
	char path[PARTITION_PATH_MAX], undo_path[2 * PARTITION_PATH_MAX];
	snprintf(path, sizeof(path), "/proxies/%s%s", broker->proxy, toxic ? "/toxics" : "");
	snprintf(undo_path, sizeof(undo_path), "%s%s%s", path, toxic ? "/" : "", toxic ? toxic : "");
	const char *words[] = {broker->proxy_api, undo_path, toxic ? "" : "{\"enabled\":true}", NULL};
	*undo = guard_add(run->site->guard, "toxic", words, e);
	if (*undo < 0)
		return *undo;
	int status = proxy_call(broker->proxy_api, "POST", path, body, NULL, e);
	/* It was refused: then there is nothing of ours. Else what became of it is not known. */
	if (status / 100 == 4) {
		guard_drop(run->site->guard, *undo);
		*undo = 0;
	}
	if (status >= 0 && status / 100 != 2)
		return err_set(e, EPROTO, "the proxy '%s' at %s answered %d: is it there?", broker->proxy, broker->proxy_api,
			       status);
	return status < 0 ? status : 0;
}

/* Toxiproxy's `timeout` with 0 drops all that comes, and keeps the connection open. */
static int drop(struct fault_run *run, const struct fault_node_config *broker, const char *stream, int *undo,
		struct err *e)
{
	static unsigned made; /* in this process: two partitions have two names */
	char toxic[64], body[PARTITION_BODY_MAX];
	snprintf(toxic, sizeof(toxic), "%spartition-%u-%s", guard_prefix(run->site->guard), made++, stream);
	snprintf(body, sizeof(body),
		 "{\"name\":\"%s\",\"type\":\"timeout\",\"stream\":\"%s\",\"toxicity\":1,\"attributes\":{\"timeout\":0}}",
		 toxic, stream);
	return change(run, broker, toxic, body, undo, e);
}

/* What its owner has disabled is not ours to enable. */
static int reject(struct fault_run *run, const struct fault_node_config *broker, int *undo, struct err *e)
{
	char path[PARTITION_PATH_MAX];
	struct buf answer CLEANUP(buf_fini) = {0};
	snprintf(path, sizeof(path), "/proxies/%s", broker->proxy);
	int status = proxy_call(broker->proxy_api, "GET", path, NULL, &answer, e);
	if (status < 0)
		return status;
	json_t *proxy = json_loadb((const char *)answer.p, answer.len, 0, NULL);
	bool disabled = json_is_false(json_object_get(proxy, "enabled"));
	json_decref(proxy);
	if (disabled)
		return err_set(e, EBUSY, "the proxy '%s' at %s is disabled already", broker->proxy, broker->proxy_api);
	return change(run, broker, NULL, "{\"enabled\":false}", undo, e);
}

static int cut(struct fault_run *run, size_t i, struct err *e)
{
	const struct backplane_partition_options *o = run->options;
	struct backplane_partition_state *s = run->state;
	const struct fault_node_config *broker = fault_node_config(s->which.nodes[i]);
	int r = broker->proxy && broker->proxy_api ? check_name(broker->proxy, e)
			: err_set(e, EINVAL, "%s: the target file names no proxy before it (proxy, proxy_api)", broker->name);
	if (r < 0)
		return r;
	if (o->style == PARTITION_REJECT)
		r = reject(run, broker, &s->undo[i][0], e);
	if (o->style == PARTITION_DROP && o->direction != PARTITION_FROM)
		r = drop(run, broker, "upstream", &s->undo[i][0], e);
	if (r == 0 && o->style == PARTITION_DROP && o->direction != PARTITION_TO)
		r = drop(run, broker, "downstream", &s->undo[i][1], e);
	if (r == 0)
		fault_tell(run, "node.cut", broker->name, 0, "proxy=%s", broker->proxy);
	return r;
}

static void stop(struct fault_run *run)
{
	struct backplane_partition_state *s = run->state;
	for (size_t i = 0; i < s->which.n; i++)
		for (size_t k = 0; k < 2; k++)
			if (s->undo[i][k] > 0)
				guard_undo(run->site->guard, s->undo[i][k]);
}

static int start(struct fault_run *run, struct err *e)
{
	const struct backplane_partition_options *o = run->options;
	struct backplane_partition_state *s = run->state;
	int r = which_choose(run, &o->nodes, &s->which, e);
	for (size_t i = 0; r == 0 && i < s->which.n; i++)
		r = cut(run, i, e);
	if (r < 0)
		stop(run);
	return r;
}

/* A proxy that is gone has taken its toxics along; one that does not know it has none. */
static int undo_run(char *const *words)
{
	const char *method = *words[2] ? "POST" : "DELETE";
	int status = proxy_call(words[0], method, words[1], *words[2] ? words[2] : NULL, NULL, NULL);
	if (status == -ECONNREFUSED || status == 404 || status / 100 == 2)
		return 0;
	return status < 0 ? status : -EPROTO;
}

static void undo_describe(char *const *words, struct buf *b)
{
	buf_printf(b, "tells the proxy's API at %s: %s %s", words[0], *words[2] ? "enable" : "delete", words[1]);
}

const struct guard_kind undo_toxic = {
	.name = "toxic", .words = 3, .claims = 2, .survives_boot = true, .undo = undo_run, .describe = undo_describe};

static const char *const styles[] = {"drop", "reject", NULL};
static const char *const directions[] = {"both", "to", "from", NULL};

static const struct opt backplane_partition_options[] = {
	WHICH_ROW(backplane_partition_options, "all"),
	{.name = "style", .type = OPT_ENUM, .offset = offsetof(struct backplane_partition_options, style), .choices = styles,
	 .help = "drop: what is sent is lost, connections stay; reject: they are cut, and new ones refused"},
	{.name = "direction", .type = OPT_ENUM, .offset = offsetof(struct backplane_partition_options, direction),
	 .choices = directions, .help = "of drop: what is lost, to the broker, from it, or both"},
	{0},
};

static const struct fault_action backplane_partition_backplane = {
	.undo = "its toxics are taken off the proxy",
	.state_size = sizeof(struct backplane_partition_state), .probe = probe, .start = start, .stop = stop};

const struct fault fault_backplane_partition = {
	.name = "backplane_partition",
	.about = "nodes and broker cannot reach each other",
	.known_as = "a network split before Redis",
	.options = backplane_partition_options,
	.options_size = sizeof(struct backplane_partition_options),
	.backplane = &backplane_partition_backplane,
};
