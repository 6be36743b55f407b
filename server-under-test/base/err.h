#ifndef SERVER_ERR_H
#define SERVER_ERR_H

/*
 * One clear sentence for the person who started the server. Filled only on failure; without a final full stop or line
 * end.
 */
struct err {
	char text[320];
};

__attribute__((format(printf, 2, 3)))
void err_set(struct err *err, const char *format, ...);

#endif
