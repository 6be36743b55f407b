#pragma once
/* The write functions of formats.def; everybody else goes through report_formats[]. */
#include "reports/report.h"

#define FORMAT(ident, name, file, about)                                                                               \
	int report_##ident##_write(const struct result *r, const struct report_options *o, struct buf *out,            \
				   struct err *e);
#include "reports/formats.def"
#undef FORMAT

/* The sentence for a failed append: too large or no memory. Returns `status`, also when it is not negative. */
int report_finish(int status, const char *what, struct err *e);
