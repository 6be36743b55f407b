#ifndef SERVER_HTTP_STATUS_H
#define SERVER_HTTP_STATUS_H

/* The reason phrase of a status this server sends (RFC 9110 15). */
const char *http_status_text(unsigned status);

#endif
