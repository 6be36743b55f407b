#!/usr/bin/python3 -B
"""Every deliberate bug of the service (server-under-test/defects.def) is seen from outside: a live test that passes on the
healthy server fails on one with `--defect NAME`.

usage: test_defects.py wsquall-server [WORD...]

A new row needs a line here: the test that sees it, which need not know of it.
"""
import concurrent.futures
import importlib
import json
import os
import subprocess
import sys
import threading
import time

HASTE_S = 6.0  # the deadline of tests that are to fail, for some bugs are an answer that never comes
JOBS = 10  # mostly they wait

CAUGHT = {
    "heartbeat_never": "service pings_come_at_the_promised_interval",
    "heartbeat_rare": "service pings_come_at_the_promised_interval",
    "heartbeat_unchecked": "slow ghosts_are_cleaned_up",
    "heartbeat_any_traffic": "slow heartbeat",
    "heartbeat_ghost_kept": "slow ghosts_are_cleaned_up",
    "heartbeat_kills_living": "slow heartbeat",
    "log_close_always_1000": "drain every_end_is_logged_as_the_client_saw_it",
    "log_close_without_reason": "drain every_end_is_logged_as_the_client_saw_it",
    "log_no_abnormal_end": "drain every_end_is_logged_as_the_client_saw_it",
    "log_initiator_swapped": "drain every_end_is_logged_as_the_client_saw_it",
    "log_not_json": "service a_log_line_holds_any_reason",
    "log_conn_missing": "drain every_end_is_logged_as_the_client_saw_it",
    "log_token": "security header_query_and_cookie",
    "limit_message_ignored": "limits message_max_is_inclusive",
    "limit_message_after_buffering": "limits closed_on_the_announced_length",
    "limit_fragment_time_ignored": "limits fragment_timeout",
    "limit_connections_ignored": "limits connections_in_all",
    "limit_per_address_ignored": "limits connections_per_address",
    "limit_per_address_leaks": "service an_address_gets_back_what_an_abnormal_end_frees",
    "limit_handshake_time_ignored": "limits handshake_timeout",
    "limit_rate_ignored": "limits message_rate",
    "limit_rate_drops_silently": "limits message_rate",
    "limit_handshakes_ignored": "limits handshakes_a_second",
    "limit_refusal_without_retry_after": "limits connections_in_all",
    "input_malformed_closes": "protocol malformed_json",
    "input_wrong_type_crashes": "protocol wrong_types_of_every_field",
    "input_unknown_type_ignored": "protocol unknown_types",
    "input_deep_nesting_crashes": "hostile deep_nesting",
    "publish_key_ignored": "delivery keys_make_a_publish_idempotent",
    "publish_key_new_number": "delivery keys_make_a_publish_idempotent",
    "slow_consumer_unbounded": "slow a_slow_consumer_is_closed_and_nobody_else_notices",
    "slow_consumer_drops": "slow a_slow_consumer_that_reads_again_in_time_stays",
    "slow_consumer_stalls_all": "slow a_slow_consumer_is_closed_and_nobody_else_notices",
    "slow_consumer_unlogged": "slow a_slow_consumer_is_closed_and_nobody_else_notices",
    "window_ignored": "delivery default_window",
    "window_acks_ignored": "delivery window_and_acks",
    "window_counts_each_ack": "delivery window_and_acks",
    "resume_skips_one": "delivery since_in_all_cases",
    "resume_repeats_one": "service who_comes_back_gets_what_it_missed_and_no_more",
    "resume_after_live": "delivery since_in_all_cases",
    "resume_misses_meanwhile": "delivery since_in_all_cases",
    "resume_claims_recovered": "delivery since_in_all_cases",
    "resume_zero_unrecovered": "delivery since_in_all_cases",
    "resume_zero_repeats": "service who_comes_back_gets_what_it_missed_and_no_more",
    "resume_only_once": "service a_position_can_be_resumed_from_any_number_of_times",
    "resume_refused_while_open": "sessions a_takeover_closes_the_old_connection_with_4000",
    "resume_edge_refused": "delivery since_in_all_cases",
    "resume_epoch_ignored": "delivery since_in_all_cases",
    "resume_this_node_only": "redis since_on_another_node",
    "resume_stale_socket_open": "sessions a_takeover_closes_the_old_connection_with_4000",
    "resume_cursor_not_kept": "sessions resume_by_query_replays_from_the_acks",
    "order_publisher_swapped": "delivery one_order_for_all_subscribers",
    "order_differs_between_subscribers": "service a_burst_is_seen_in_its_order_by_all",
    "order_small_first": "service a_small_message_does_not_pass_a_large_one",
    "text_ascii_only": "protocol data_is_anything",
    "text_quotes_unescaped": "protocol data_is_anything",
    "text_large_damaged": "service a_small_message_does_not_pass_a_large_one",
    "nodes_do_not_talk": "redis what_is_published_on_one_node_is_delivered_on_the_other",
    "outage_publish_confirmed": "backplane while_redis_is_away",
    "outage_closes_clients": "backplane while_redis_is_away",
    "outage_not_caught_up": "backplane a_node_that_was_cut_off_catches_up",
    "outage_still_ready": "backplane while_redis_is_away",
    "fanout_serialises_each": "service a_broadcast_is_kept_once_for_all_who_are_behind",
    "fanout_quadratic": "service a_broadcast_costs_in_proportion_to_its_subscribers",
    "memory_leaks_per_connection": "service memory_of_a_connection_comes_back",
    "descriptors_leak": "service descriptors_come_back_however_a_connection_ends",
    "drain_without_close": "drain a_restart_is_told",
    "drain_ready_until_the_end": "drain readyz_goes_first_and_everything_is_served_meanwhile",
    "drain_all_at_once": "drain closes_are_spread",
    "drain_drops_queued": "service what_is_queued_is_not_lost_in_a_drain",
    "security_origin_ignored": "security origins",
    "security_token_unverified": "security bad_tokens",
    "security_token_after_upgrade": "security credentials_are_needed_on_everything_but",
    "security_expired_accepted": "security bad_tokens",
    "security_expiry_ignored": "security expiry_on_the_open_connection_and_again",
    "security_renewal_ignored": "security expiry_on_the_open_connection_and_again",
    "security_forwarded_believed": "security forwarded_for",
    "metrics_gauge_leaks": "drain metrics_agree_with_what_was_done",
    "metrics_messages_once": "service a_broadcast_counts_once_for_each_who_gets_it",
    "metrics_latency_zero": "drain metrics_agree_with_what_was_done",
    "metrics_latency_microseconds": "service a_message_takes_no_longer_by_the_metrics_than_by_the_clock",
    "metrics_closes_1000": "drain metrics_agree_with_what_was_done",
    "sse_forgets_position": "fallbacks resume_rule_of_streams_and_polls",
    "poll_misses_between": "fallbacks polls_one_after_another_lose_nothing",
}

OURS = (TypeError, AttributeError, NameError)  # a mistake in the test, which sees nothing

import rig  # noqa: E402  pylint: disable=wrong-import-position


class NotStarted(BaseException):
    """The server did not start: that shows no bug of its service."""


here = threading.local()  # .defect: of every server that this thread starts
server_init = rig.Server.__init__


def start(self, *options, **more):
    defect = getattr(here, "defect", None)
    try:
        server_init(self, *options, *(("--defect", defect) if defect else ()), **more)
    except AssertionError as error:
        raise NotStarted(str(error)) from None


def run(place, defect=None):
    """The exception that the test ended with, or None; how long it took."""
    name, function = place.split()
    here.defect, since = defect, time.monotonic()
    try:
        getattr(importlib.import_module("test_" + name), function)()
    except (Exception, NotStarted) as error:  # pylint: disable=broad-except
        return error, time.monotonic() - since
    return None, time.monotonic() - since


def short(error):
    text = f"{type(error).__name__}: {error}".replace("\n", " ")
    return text if len(text) < 150 else text[:150] + "..."


def report(good, what, took, error):
    sys.stdout.write(f"{'ok  ' if good else 'FAIL'}  {what} ({took:.1f} s)" + (f": {short(error)}\n" if error else "\n"))
    sys.stdout.flush()
    return good


def passes(place):
    error, took = run(place)
    return took, report(error is None, f"(no defect) {place}", took, error)


def sees(defect):
    error, took = run(CAUGHT[defect], defect)
    if error is None:
        return report(False, f"{defect}: nobody sees it, not {CAUGHT[defect]}", took, None)
    return report(not isinstance(error, (NotStarted, *OURS)), defect, took, error)


def listed():
    rows = json.loads(subprocess.run([rig.SERVER, "--list-defects"], check=True, capture_output=True).stdout)
    return {row["name"] for row in rows if row["kind"] in ("service", "nodes")}


def hurry():
    """Tests are to fail now: soon, and without a word of their own."""
    threading.excepthook = lambda _: None
    rig.print = lambda *_, **__: None
    for name, module in list(sys.modules.items()):
        if hasattr(module, "DEADLINE_S") and (name in ("ws", "rig", "plain", "nodes") or name.startswith("test_")):
            module.DEADLINE_S = HASTE_S


def main():
    if not rig.SERVER or not os.access(rig.SERVER, os.X_OK):
        sys.exit(f"usage: {sys.argv[0]} PATH/TO/wsquall-server [WORD...]")
    rig.Server.__init__ = start
    rows, words = listed(), sys.argv[2:]
    results = [report(name in rows, f"{name}: a row of defects.def", 0, None) for name in CAUGHT if name not in rows]
    results += [report(False, f"{name}: no test is named here", 0, None) for name in sorted(rows - set(CAUGHT))]
    chosen = [name for name in CAUGHT if name in rows and (not words or any(word in name for word in words))]
    places = sorted({CAUGHT[name] for name in chosen})
    for place in places:
        importlib.import_module("test_" + place.split()[0])  # not by two threads at once
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        healthy = dict(zip(places, pool.map(passes, places)))
        results += [good for _, good in healthy.values()]
        hurry()
        results += pool.map(sees, sorted(chosen, key=lambda name: -healthy[CAUGHT[name]][0]))
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
