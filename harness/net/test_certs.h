#pragma once
/* For the tests of this folder: an authority and server certificates, made on the spot. */
#include <openssl/ssl.h>
#include <stdbool.h>

struct certs {
	EVP_PKEY *key; /* one key for all */
	X509 *authority;
	char ca_file[64]; /* the authority in PEM */
};

struct cert_spec {
	const char *san;       /* "DNS:localhost,IP:127.0.0.1"; NULL: none */
	const char *common_name;
	bool self_signed;      /* not by the authority */
	int from_days, to_days; /* validity, relative to today */
	int max_version;       /* 0: any; TLS1_2_VERSION, ... */
	const char *alpn;      /* the one protocol the server speaks; NULL: does not answer ALPN */
};

void certs_init(struct certs *c);
void certs_fini(struct certs *c);
/* The context of a server with such a certificate. spec outlives it. */
SSL_CTX *certs_server(const struct certs *c, const struct cert_spec *spec);
