/* The scenarios that the program holds: the files of suites/scenarios, in the order of meson.build. */
#include "harness/scenario/scenario.h"

const struct scenario_builtin scenario_builtins[] = {
#include "harness/scenario/scenario_rows.h"
};
const size_t scenario_builtins_len = ARRAY_LEN(scenario_builtins);
