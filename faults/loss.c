/*
 * Packets are lost: radio links, congested lines. Singly with a probability, or in bursts, which is what TCP really
 * suffers from: the Gilbert-Elliott model (a good and a bad state) or netem's model of four states. TCP sends again, so
 * that above it loss is felt as latency and as stalls.
 */
#include "faults/link.h"

struct loss_options {
	int model;
	double probability, correlation;
	double p, r, bad_loss, good_loss;
	double p13, p31, p32, p23, p14;
	bool ecn;
};

#define SHARE(NAME, DEFAULT, HELP) \
	{.name = #NAME, .type = OPT_PERCENT, .offset = offsetof(struct loss_options, NAME), .def = DEFAULT, .help = HELP}

static const struct opt loss_options[] = {
	{.name = "model", .type = OPT_ENUM, .offset = offsetof(struct loss_options, model), .def = "random",
	 .choices = netem_loss_model_names, .help = "which packets: each by chance, or bursts of two or four states"},
	SHARE(probability, "1%", "random: how likely a packet is lost"),
	SHARE(correlation, "0%", "random: how much that depends on the packet before"),
	SHARE(p, "1%", "gemodel: from the good to the bad state"),
	SHARE(r, "25%", "gemodel: from the bad to the good state"),
	SHARE(bad_loss, "100%", "gemodel: how likely a packet is lost in the bad state"),
	SHARE(good_loss, "0%", "gemodel: how likely a packet is lost in the good state"),
	SHARE(p13, "1%", "state: from good (1) to burst loss (3)"),
	SHARE(p31, "25%", "state: from burst loss (3) to good (1)"),
	SHARE(p32, "0%", "state: from burst loss (3) to good within a burst (2)"),
	SHARE(p23, "100%", "state: from good within a burst (2) to burst loss (3)"),
	SHARE(p14, "0%", "state: from good (1) to a single loss (4)"),
	{.name = "ecn", .type = OPT_FLAG, .offset = offsetof(struct loss_options, ecn), .def = "false",
	 .help = "mark packets that can carry a mark (ECN) instead of losing them"},
	{0},
};

static int add_loss(const void *options, struct netem *merged, struct err *e)
{
	const struct loss_options *o = options;
	if (merged->loss >= 1)
		return 0; /* nothing is left to lose */
	bool another = merged->loss > 0 || merged->loss_model != NETEM_LOSS_RANDOM;
	if (another && (o->model != NETEM_LOSS_RANDOM || merged->loss_model != NETEM_LOSS_RANDOM))
		return err_set(e, EINVAL, "an interface has one model of loss at a time: another loss is at work on it");
	if (merged->loss_correlation > 0 && o->correlation > 0)
		return err_set(e, EINVAL, "an interface has one correlation of loss at a time: another loss is at work on it");
	merged->loss_model = (enum netem_loss_model)o->model;
	merged->ecn = merged->ecn || o->ecn;
	if (o->model == NETEM_LOSS_RANDOM) {
		merged->loss = link_share(merged->loss, o->probability);
		merged->loss_correlation += o->correlation;
	} else if (o->model == NETEM_LOSS_GEMODEL) {
		merged->gemodel.p = o->p;
		merged->gemodel.r = o->r;
		merged->gemodel.bad_loss = o->bad_loss;
		merged->gemodel.good_loss = o->good_loss;
	} else {
		merged->state.p13 = o->p13;
		merged->state.p31 = o->p31;
		merged->state.p32 = o->p32;
		merged->state.p23 = o->p23;
		merged->state.p14 = o->p14;
	}
	return 0;
}

static const struct fault_link loss_link = {.netem = add_loss, .action = &link_netem};

const struct fault fault_loss = {
	.name = "loss",
	.about = "packets are lost, singly or in bursts",
	.known_as = "mobile networks, congested lines",
	.options = loss_options,
	.options_size = sizeof(struct loss_options),
	.link = &loss_link,
};
