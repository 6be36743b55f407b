#pragma once
/*
 * What a body of the API, or a configuration file, wants: proxies with their toxics, read and looked at before anything
 * is changed. The JSON is Toxiproxy's:
 *
 *	{"name": "ws", "listen": "127.0.0.1:8666", "upstream": "127.0.0.1:9000", "enabled": true}
 *	{"name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1.0, "attributes": {"latency": 100}}
 *
 * and ours adds to a proxy "toxics" (a list), "tls" (an object: struct proxy_tls by its table) and "connect_timeout",
 * to a toxic `"stream": "both"` and "duration" ("5s", or a number of milliseconds). As with Toxiproxy, other keys of
 * these two objects are ignored; unknown attributes are not. null is what is not there.
 */
#include "harness/proxy/options_json.h"
#include "harness/proxy/proxy.h"

enum { PLAN_PROXIES_MAX = 1024 };

struct plan_toxic {
	struct toxic_spec spec;    /* spec.from is `attributes` */
	json_t *attributes;        /* owned when `made` */
	bool made;
};

struct plan_proxy {
	struct proxy_options o;
	struct proxy_tls tls;
	bool toxics_given;
	struct plan_toxic *toxics;
	size_t n_toxics;
};

struct plan {
	struct plan_proxy *proxies;
	size_t n;
};

/* Of struct proxy_tls, for the API and for files. */
extern const struct opt plan_tls_table[];

/*
 * The JSON must outlive what is made of it; texts are not copied. -EINVAL with a sentence in Toxiproxy's words
 * ("missing required field: name"), -ENOMEM.
 */
int plan_read_toxic(const json_t *body, struct plan_toxic *ret, struct err *e);
/*
 * A change of a toxic: its own name, type and options with what the body says over them. The caller calls
 * plan_toxic_fini().
 */
int plan_read_toxic_change(const struct toxic *old, const json_t *body, struct plan_toxic *ret, struct err *e);
void plan_toxic_fini(struct plan_toxic *t);
/* where: " at proxy 2" for sentences, or "". */
int plan_read_proxy(const json_t *body, const char *where, struct arena *a, struct plan_proxy *ret, struct err *e);
/* A change of a proxy: what must stay as it is, its TLS and connect_timeout, is left out or said as it is. */
int plan_read_proxy_change(const struct proxy *old, const json_t *body, struct arena *a, struct err *e);
/* A list of proxies (Toxiproxy's /populate, and its configuration file); names differ. */
int plan_read(const json_t *body, struct arena *a, struct plan *ret, struct err *e);
/*
 * Looks at addresses, names, files and toxics without making anything. existing: the proxies that there are, whose TLS
 * and connect_timeout cannot be changed, only left out or said as they are; may be NULL. As proxy_check and toxics_add.
 */
int plan_check(const struct plan *p, const struct proxies *existing, struct err *e);

/* What is said of an existing proxy is so already, or can be made so. -EINVAL. */
int plan_check_kept(const struct plan_proxy *p, const struct proxy *old, struct err *e);

/* As the API shows it: a new reference, NULL without memory. */
json_t *plan_show_toxic(const struct toxic *t, uint64_t now_us);
json_t *plan_show_proxy(struct proxy *p, uint64_t now_us);
json_t *plan_show_tls(const struct proxy_tls *tls);
