# SPDX-License-Identifier: Apache-2.0
"""`cairn plugin test`: our own plugins conform, and each deliberately bad one fails its own check with
the right words and no other check before it.  The bad plugins are tests/integration/plugins/bad.c."""

import json
import subprocess

from harness import BIN, Skip, contains, equal, main, need, need_program

LIB = BIN.parent / "lib" / "cairn"
DIED = "the process "  # "died of signal 11", or "ended: " and what a sanitizer says


def suite(path, *options, timeout=20):
    done = subprocess.run([str(BIN / "cairn"), "--json", "plugin", "test", str(need(path)),
                           "--timeout", str(timeout), *options],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=400)
    report = json.loads(done.stdout)
    if "checks" not in report:
        raise AssertionError(done.stdout)
    equal(done.returncode, 0 if report["conforms"] else 1, "the exit status")
    return report, {c["check"]: c for c in report["checks"]}


def bad(name, check, words, timeout=2, only=True):
    """The plugin fails `check` with `words`; checks that it shares no fault with pass."""
    path = LIB / "test-plugins" / f"bad-{name}.so"
    report, checks = suite(path, *(("--check", check) if only else ()), timeout=timeout)
    equal(checks[check]["verdict"], "failed", f"{name}: {check}")
    contains(checks[check]["detail"], words, name)
    equal(report["conforms"], False, name)


def conforms(path, timeout=20):
    report, checks = suite(path, timeout=timeout)
    failed = [c for c in report["checks"] if c["verdict"] == "failed"]
    equal(failed, [], f"{path.name}: failed checks")
    return checks


def test_hello_conforms():
    conforms(LIB / "plugins" / "hello.so")


def test_dicom_conforms():
    conforms(LIB / "plugins" / "dicom.so")


def test_hl7v2_conforms():
    conforms(LIB / "plugins" / "hl7v2.so")


def test_table_conforms():
    conforms(LIB / "plugins" / "table.so")


def test_cohort_conforms():
    conforms(LIB / "plugins" / "cohort.so")


def test_the_good_one_among_the_bad_passes_every_check():
    checks = conforms(LIB / "test-plugins" / "bad-none.so")
    for name in ("calls", "jobs", "events", "allocations", "settings", "leaks", "check",
                 "health"):
        equal(checks[name]["verdict"], "passed", name)


def test_never_stopping():
    bad("never-stops", "life", "did not call cairn_stopped(): not within 2000 ms")


def test_a_crash_in_stop():
    bad("stops-by-crashing", "life", DIED)


def test_a_start_that_fails():
    bad("fails-to-start", "life", "start() said: this plugin does not wish to start")


def test_a_call_that_is_never_answered():
    bad("never-answers", "calls", "a call of bad.call with an empty body was not answered")


def test_a_call_that_is_answered_twice():
    bad("answers-twice", "calls", "cairn_reply() for a request that was answered already")


def test_a_cancelled_call_that_is_not_answered():
    bad("ignores-cancel", "cancelled", "was cancelled, and not answered")


def test_a_blocked_loop():
    bad("blocks", "calls", "the loop is blocked, the heartbeat was missed")


def test_a_leak_of_memory():
    bad("leaks-memory", "leaks", "memory leaks:", timeout=10)


def test_a_leak_of_descriptors():
    bad("leaks-descriptors", "leaks", "descriptors leak:", timeout=10)


def test_memory_that_is_not_checked():
    bad("trusts-malloc", "allocations", "allocation 1 of start() failed")


def test_an_answer_from_another_thread():
    bad("wrong-thread", "calls", "cairn_reply() was called from another thread")


def test_a_peer_that_is_believed():
    bad("trusts-peers", "hostile-peer", DIED)


def test_a_caller_that_is_believed():
    bad("trusts-callers", "calls", "a call of bad.call with an empty body: the plugin did not live")


def test_an_event_that_is_believed():
    bad("trusts-events", "events", "an event bad.anything with an empty body")


def test_a_folder_that_must_be_clean():
    bad("needs-a-clean-folder", "restart", "started again after it was killed")


def test_a_setting_that_is_not_handled():
    bad("fails-at-the-largest", "settings", "size at its largest")


def test_a_job_that_is_ended_twice():
    bad("ends-a-job-twice", "jobs", "cairn_job_done() for a job that was ended already")


def test_a_check_that_writes():
    bad("writes-in-check", "check", "check() wrote into its state")


def test_a_health_that_blocks():
    bad("blocks-in-health", "health", "health() blocks")


def test_a_finding_without_words():
    bad("finds-no-words", "check", "finding 1 has no words")


def test_a_setting_without_help():
    bad("no-help", "manifest", "the setting size has no help")


def test_a_stop_that_waits_for_its_own_loop():
    bad("needs-answers-to-stop", "late", "did not call cairn_stopped()")


def test_what_is_no_plugin_is_refused_with_words():
    done = subprocess.run([str(BIN / "cairn"), "plugin", "test", "/bin/true"], capture_output=True,
                          text=True)
    equal(done.returncode, 1, "the exit status")
    contains(done.stderr, "cairn plugin test: ", "the words")


def test_a_good_plugin_has_no_error_under_valgrind():
    need_program("valgrind")
    if subprocess.run(["nm", "-D", BIN / "cairn-host"], capture_output=True, text=True,
                      check=True).stdout.count("__asan_init"):
        raise Skip("valgrind and AddressSanitizer exclude each other")
    done = subprocess.run([BIN / "cairn", "plugin", "run", "--valgrind", "--call", "hello.greet",
                           LIB / "plugins/hello.so"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120)
    equal((done.returncode, done.stdout), (0, "hello\n"), f"status and answer\n{done.stderr}")


if __name__ == "__main__":
    main(globals())
