/*
 * RFC 6455 7.4: every class of close codes, sent by us. What a server does with a code that it should not get differs
 * by class: must never be on the wire, reserved, unassigned, outside of every range. A row without a level is a MUST.
 */

#define CODE_FIX \
	"Check a received code: 1000-1003, 1007-1014 and 3000-4999 are good; fail the connection with 1002 on any " \
	"other. Repeat a good one in the answer."

#define CODE_GOOD(ID, AUTOBAHN, CODE, WHAT, REQUIREMENTS, EXPLAIN) \
	{ \
		.id = ID, \
		.title = "answers Close " #CODE " (" WHAT ")", \
		.rfc = "6455 7.4.1", \
		.requirements = "6455-5.5.1-h 6455-7.4.1-a " REQUIREMENTS, \
		.autobahn = AUTOBAHN, \
		.explain = EXPLAIN, \
		.fix = CODE_FIX, \
		STEPS(SEND_CLOSE(CODE), CLOSES), \
	}
#define CODE_REPEATED \
	"The same code passes, 1000 or an empty body is noted, another sendable code such as 1002 is a warn."
/* A server with the old table refuses them, by Close 1002 or by ending TCP. */
#define CODE_REGISTERED_LATER(ID, CODE, WHAT, REQUIREMENTS) \
	{ \
		.id = ID, \
		.title = "answers Close " #CODE " (" WHAT ")", \
		.rfc = "6455 7.4.1", \
		.requirements = "6455-5.5.1-h 6455-7.4.1-a " REQUIREMENTS, \
		.explain = "Registered after the RFC: a server with the old table fails the connection, which is a warn.", \
		.fix = CODE_FIX, \
		STEPS(SEND_CLOSE(CODE), ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE, .other = GRADE_WARN, \
		      .fin = GRADE_WARN, .rst = GRADE_WARN)), \
	}

/* Never refused with 1002: libraries and applications own these. */
#define CODE_OWNED(ID, AUTOBAHN, CODE, RFC_REQUIREMENT) \
	{ \
		.id = ID, \
		.title = "answers Close " #CODE ", which belongs to applications", \
		.rfc = "6455 7.4.2", \
		.requirements = "6455-5.5.1-h " RFC_REQUIREMENT, \
		.autobahn = AUTOBAHN, \
		.explain = "The same code passes, 1000 or an empty body is noted. Refusing it with 1002 fails: the " \
			   "range is for private and registered use.", \
		.fix = CODE_FIX, \
		STEPS(SEND_CLOSE(CODE), ENDS(.same = GRADE_PASS, .normal = GRADE_NOTE, .none = GRADE_NOTE, \
		      .warn = {1001, 1007, 1008, 1011})), \
	}

/* What refuses a code. */
#define CODE_REFUSED .pass = {1002}, .other = GRADE_WARN, .fin = GRADE_PASS, .rst = GRADE_NOTE

/* `same` and `unsendable` keep their zero: repeating the code is a fail. */
#define CODE_NEVER(ID, AUTOBAHN, CODE, WHAT, SECTION, RFC_REQUIREMENT) \
	{ \
		.id = ID, \
		.title = "fails Close " #CODE ", " WHAT, \
		.rfc = "6455 " SECTION, \
		.requirements = RFC_REQUIREMENT, \
		.autobahn = AUTOBAHN, \
		.explain = "Close 1002, or ending TCP, passes; closing as if nothing was wrong is a warn; " \
			   "repeating the code fails.", \
		.fix = CODE_FIX, \
		STEPS(SEND_CLOSE(CODE), ENDS(CODE_REFUSED, .normal = GRADE_WARN, .none = GRADE_WARN)), \
	}

#define CODE_UNASSIGNED(ID, AUTOBAHN, CODE) \
	{ \
		.id = ID, \
		.title = "fails Close " #CODE ", which is not assigned", \
		.rfc = "6455 7.4.2", \
		.requirements = "6455-7.4.2-b", \
		.autobahn = AUTOBAHN, \
		.explain = "Autobahn fails every other reaction. A later registration makes such a code legal, as " \
			   "happened to 1012, 1013 and 1014, so the same code or 1000 is a warn only.", \
		.fix = CODE_FIX, \
		STEPS(SEND_CLOSE(CODE), ENDS(CODE_REFUSED, .warn = {CODE}, .normal = GRADE_WARN, .none = GRADE_WARN)), \
	}

#define CODE_ABOVE(ID, AUTOBAHN, CODE) \
	{ \
		.id = ID, \
		.title = "fails Close " #CODE ", above every range", \
		.rfc = "6455 7.4.2", \
		.requirements = "6455-7.4.2-e", \
		.autobahn = AUTOBAHN, \
		.explain = "Nothing is defined above 4999 and nothing forbids it: 1002 passes, 1000 or an empty " \
			   "body is noted, repeating the code is a warn.", \
		.fix = CODE_FIX, \
		STEPS(SEND_CLOSE(CODE), ENDS(CODE_REFUSED, .warn = {CODE}, .normal = GRADE_NOTE, .none = GRADE_NOTE)), \
	}

static const struct test_case rfc6455_7_code_cases[] = {
	CODE_GOOD("code/1000", "7.7.1", 1000, "normal", "6455-7.4.1-b", NULL),
	CODE_GOOD("code/1001", "7.7.2", 1001, "going away", "6455-7.4.1-c", CODE_REPEATED),
	CODE_GOOD("code/1002", "7.7.3", 1002, "protocol error", "6455-7.4.1-d", CODE_REPEATED),
	CODE_GOOD("code/1003", "7.7.4", 1003, "unsupported data", "6455-7.4.1-e", CODE_REPEATED),
	CODE_GOOD("code/1007", "7.7.5", 1007, "invalid payload data", "6455-7.4.1-i", CODE_REPEATED),
	CODE_GOOD("code/1008", "7.7.6", 1008, "policy violation", "6455-7.4.1-j", CODE_REPEATED),
	CODE_GOOD("code/1009", "7.7.7", 1009, "message too big", "6455-7.4.1-k", CODE_REPEATED),
	{
		.id = "code/1010",
		.title = "answers Close 1010 (mandatory extension), which clients may send",
		.rfc = "6455 7.4.1",
		.requirements = "6455-5.5.1-h 6455-7.4.1-a 6455-7.4.1-l",
		.autobahn = "7.7.8",
		.explain = "Servers do not use 1010 on their own, but a reply may repeat it: 1010 and 1000 both pass.",
		.fix = CODE_FIX,
		STEPS(SEND_CLOSE(1010),
		      ENDS(.same = GRADE_PASS, .normal = GRADE_PASS, .none = GRADE_NOTE, .other = GRADE_WARN)),
	},
	CODE_GOOD("code/1011", "7.7.9", 1011, "internal error", "6455-7.4.1-n",
		  "Erratum 3227 (held) lets clients use it too: the same code passes, 1000 or an empty body is noted, "
		  "1002 is a warn."),
	CODE_REGISTERED_LATER("code/1012", 1012, "service restart", "6455-7.4.1-p"),
	CODE_REGISTERED_LATER("code/1013", 1013, "try again later", "6455-7.4.1-p"),
	CODE_REGISTERED_LATER("code/1014", 1014, "bad gateway", "6455-7.4.1-p"),
	{
		.id = "code/1001-reason",
		.title = "answers Close 1001 with a reason",
		.rfc = "6455 7.4.1",
		.requirements = "6455-5.5.1-h 6455-5.5.1-c 6455-7.4.1-c",
		.explain = CODE_REPEATED,
		.fix = CODE_FIX,
		STEPS(SEND_CLOSE_REASON(1001, "the page is left"), CLOSES),
	},

	CODE_OWNED("code/3000", "7.7.10", 3000, "6455-7.4.2-c"),
	CODE_OWNED("code/3001", NULL, 3001, "6455-7.4.2-c"),
	CODE_OWNED("code/3500", NULL, 3500, "6455-7.4.2-c"),
	CODE_OWNED("code/3998", NULL, 3998, "6455-7.4.2-c"),
	CODE_OWNED("code/3999", "7.7.11", 3999, "6455-7.4.2-c"),
	CODE_OWNED("code/4000", "7.7.12", 4000, "6455-7.4.2-d"),
	CODE_OWNED("code/4001", NULL, 4001, "6455-7.4.2-d"),
	CODE_OWNED("code/4500", NULL, 4500, "6455-7.4.2-d"),
	CODE_OWNED("code/4998", NULL, 4998, "6455-7.4.2-d"),
	CODE_OWNED("code/4999", "7.7.13", 4999, "6455-7.4.2-d"),

	CODE_NEVER("code/0", "7.9.1", 0, "below every range", "7.4.2", "6455-7.4.2-a"),
	CODE_NEVER("code/1", NULL, 1, "below every range", "7.4.2", "6455-7.4.2-a"),
	CODE_NEVER("code/999", "7.9.2", 999, "below every range", "7.4.2", "6455-7.4.2-a"),
	CODE_NEVER("code/1005", "7.9.4", 1005, "which must never be sent", "7.4.1", "6455-7.4.1-g"),
	CODE_NEVER("code/1006", "7.9.5", 1006, "which must never be sent", "7.4.1", "6455-7.4.1-h"),
	CODE_NEVER("code/1015", NULL, 1015, "which must never be sent", "7.4.1", "6455-7.4.1-o"),
	{
		.id = "code/1004",
		.title = "fails Close 1004, which is reserved without a meaning",
		.rfc = "6455 7.4.1",
		.requirements = "6455-7.4.1-f",
		.autobahn = "7.9.3",
		.explain = "No MUST NOT forbids it: Close 1002 passes, 1000 or an empty body is noted, repeating 1004 "
			   "is a warn. Autobahn wants 1002.",
		.fix = CODE_FIX,
		STEPS(SEND_CLOSE(1004), ENDS(.pass = {1002}, .note = {1000}, .warn = {1004}, .none = GRADE_NOTE,
					     .other = GRADE_WARN, .fin = GRADE_PASS, .rst = GRADE_NOTE)),
	},
	CODE_UNASSIGNED("code/1016", "7.9.6", 1016),
	CODE_UNASSIGNED("code/1100", "7.9.7", 1100),
	CODE_UNASSIGNED("code/1999", NULL, 1999),
	CODE_UNASSIGNED("code/2000", "7.9.8", 2000),
	CODE_UNASSIGNED("code/2999", "7.9.9", 2999),
	CODE_ABOVE("code/5000", "7.13.1", 5000),
	CODE_ABOVE("code/32768", NULL, 32768),
	CODE_ABOVE("code/65535", "7.13.2", 65535),
};
