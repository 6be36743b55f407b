/* Incremental UTF-8 validation, by the bounds table of RFC 3629 section 4. */
#include "server-under-test/base/utf8.h"

#include "server-under-test/defects.h"

static bool utf8_lead(struct utf8 *u, unsigned missing, uint8_t low, uint8_t high)
{
	*u = (struct utf8){ .missing = (uint8_t)missing, .low = low, .high = high };
	return true;
}

static bool utf8_first(struct utf8 *u, uint8_t c)
{
	bool overlong = defect(utf8_overlong_accepted);

	if (c < 0x80)
		return true;
	if (c < 0xc0)
		return defect(utf8_stray_accepted);
	if (c < 0xc2)
		return overlong && utf8_lead(u, 1, 0x80, 0xbf);
	if (c < 0xe0)
		return utf8_lead(u, 1, 0x80, 0xbf);
	if (c == 0xe0)
		return utf8_lead(u, 2, overlong ? 0x80 : 0xa0, 0xbf);
	if (c == 0xed)
		return utf8_lead(u, 2, 0x80, defect(utf8_surrogate_accepted) ? 0xbf : 0x9f);
	if (c == 0xef)
		return utf8_lead(u, 2, 0x80, defect(utf8_high_plane_end_refused) ? 0xbe : 0xbf);
	if (c < 0xf0)
		return utf8_lead(u, 2, 0x80, 0xbf);
	if (c == 0xf0)
		return utf8_lead(u, 3, overlong ? 0x80 : 0x90, 0xbf);
	if (c < 0xf4)
		return utf8_lead(u, 3, 0x80, 0xbf);
	if (c == 0xf4)
		return utf8_lead(u, 3, 0x80, defect(utf8_too_large_accepted) ? 0xbf : 0x8f);
	if (c < 0xf8 && defect(utf8_too_large_accepted))
		return utf8_lead(u, 3, 0x80, 0xbf);
	return c >= 0xf8 && defect(utf8_invalid_lead_accepted);
}

bool utf8_feed(struct utf8 *u, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (u->missing == 0) {
			if (!utf8_first(u, p[i]))
				return false;
			continue;
		}
		if (p[i] < u->low || p[i] > u->high)
			return false;
		u->missing--;
		u->low = 0x80;
		u->high = 0xbf;
	}
	return true;
}

bool utf8_complete(const struct utf8 *u)
{
	return u->missing == 0 || defect(utf8_truncated_accepted);
}
