#pragma once
/* Socket addresses of IPv4 and IPv6: text, size, equality. */
#include <stdbool.h>
#include <sys/socket.h>

enum { ADDRESS_TEXT_LEN = 80 };

/* "127.0.0.1:80", "[::1]:80", "?" for another family; text has ADDRESS_TEXT_LEN octets. Returns text. */
const char *address_text(const struct sockaddr_storage *address, char *text);
/* What bind() and connect() want as the size. */
socklen_t address_len(const struct sockaddr_storage *address);
/* Same family, host and port. */
bool address_eq(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
