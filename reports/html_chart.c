/* What a scenario was like: its charts as tables whose cells are bars, so that they are read aloud and printed, too. */
#include "reports/html_part.h"

enum { BAR_PERCENT = 70 }; /* of its cell, the longest bar; the number stands behind it */

static uint64_t highest(const struct result_chart *c)
{
	uint64_t most = 1;
	for (size_t i = 0; i < c->n_bars; i++) {
		most = c->bars[i].n > most ? c->bars[i].n : most;
		most = c->bars[i].m > most ? c->bars[i].m : most;
	}
	return most;
}

static void cell(struct html *h, const char *class, uint64_t value, uint64_t most)
{
	html_printf(h, "<td class=\"%s\"><i style=\"width:%.1f%%\"></i>%llu</td>", class,
		    (double)value * BAR_PERCENT / (double)most, (unsigned long long)value);
}

static void column(struct html *h, const char *name)
{
	html_put(h, "<th scope=\"col\">");
	html_text(h, name);
	html_put(h, "</th>");
}

static void chart(struct html *h, const struct result_chart *c)
{
	uint64_t most = highest(c);
	html_put(h, "<table class=\"chart\"><caption>");
	html_text(h, c->title);
	html_put(h, "</caption>\n<tr><td></td>");
	column(h, c->n_name);
	if (c->m_name)
		column(h, c->m_name);
	html_put(h, "</tr>\n");
	for (size_t i = 0; i < c->n_bars; i++) {
		html_put(h, "<tr><th scope=\"row\">");
		html_text(h, c->bars[i].label);
		html_put(h, "</th>");
		cell(h, "one", c->bars[i].n, most);
		if (c->m_name)
			cell(h, "two", c->bars[i].m, most);
		html_put(h, "</tr>\n");
	}
	html_put(h, "</table>\n");
}

static void story(struct html *h, const struct result_item *item, bool open)
{
	html_printf(h, "<details class=\"group story\"%s><summary><div class=\"head\"><h3>", open ? " open" : "");
	html_text(h, item->id);
	html_put(h, "</h3><p>");
	html_text(h, item->title);
	html_put(h, "</p><p class=\"what\">");
	html_text(h, item->seen);
	html_put(h, "</p></div></summary>\n<div class=\"charts\">\n");
	for (size_t i = 0; i < item->n_charts; i++)
		chart(h, &item->charts[i]);
	html_put(h, "</div></details>\n");
}

void html_stories(struct html *h)
{
	size_t n = 0;
	for (size_t i = 0; i < h->result->n_items; i++)
		n += h->result->items[i].n_charts > 0;
	if (n == 0)
		return;
	html_printf(h,
		    "<section id=\"stories\">\n<h2>What happened <span class=\"count\">%zu</span></h2>\n"
		    "<p class=\"about\">Each scenario as its clients lived it: how long they were away, how they came "
		    "back, and the "
		    "close codes on both sides.</p>\n",
		    n);
	for (size_t i = 0; i < h->result->n_items; i++)
		if (h->result->items[i].n_charts)
			story(h, &h->result->items[i], n == 1);
	html_put(h, "</section>\n");
}
