"""The README's table of what may go wrong says nothing that a test does not hold."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

# By the first words of a line: the tests that would fail if it were not so.
HELD_BY = {
    "Ctrl-C, SIGTERM": """
        end_to_end/test_stopping.py::test_a_signal_ends_the_run_with_a_checkpoint_to_continue_from
        end_to_end/test_stopping.py::test_a_signal_ends_a_validation_between_two_images
        training/test_stop_signal.py::test_the_first_signal_is_remembered_and_the_second_acts
        test_signals.py::test_a_signal_after_the_end_does_not_change_the_exit_code
        soak/test_soak_signals.py::test_a_run_stopped_at_any_moment_goes_on_to_the_same_bits
        scripts/test_demo.py::test_ctrl_c_and_a_sigterm_leave_a_checkpoint_to_go_on_from""",
    "a kill, a crash, a power cut": """
        end_to_end/test_exact_resume.py::test_a_run_killed_again_and_again_ends_bit_identical
        end_to_end/test_exact_resume.py::test_a_run_killed_in_its_first_write_starts_again
        soak/test_soak_kills.py::test_a_run_killed_a_hundred_times_ends_bit_identical""",
    "a checkpoint is damaged": """
        end_to_end/test_exact_resume.py::test_a_damaged_checkpoint_is_passed_over_for_the_one_before
        runs/test_checkpoints.py::test_a_flipped_bit_anywhere_is_found
        soak/test_soak_checkpoints.py::test_every_flipped_bit_of_a_checkpoint_is_noticed""",
    "checkpoints are gone": """
        end_to_end/test_continuing.py::test_a_run_whose_checkpoints_are_elsewhere_is_not_begun_again
        runs/test_checkpoints.py::test_a_renamed_checkpoint_is_not_taken_for_none
        runs/test_checkpoints.py::test_a_folder_that_cannot_be_read_is_not_taken_for_an_empty_one""",
    "a file of weights is damaged": """
        weights/test_weight_damage.py::test_a_flipped_bit_is_noticed_or_changes_nothing
        weights/test_weight_damage.py::test_a_flipped_bit_of_a_file_of_others_is_noticed_by_its_checksum
        weights/test_weight_damage.py::test_a_file_without_a_digest_loads
        soak/test_soak_weights.py::test_every_damaged_weight_file_is_read_or_refused_by_name""",
    "the run's folder exists": """
        end_to_end/test_refusals.py::test_a_folder_that_holds_a_run_is_not_written_over""",
    "data is damaged": """
        end_to_end/test_refusals.py::test_a_damaged_data_set_is_refused
        end_to_end/test_refusals.py::test_all_images_of_the_validation_that_cannot_be_used_are_named
        data/test_check.py::test_whatever_is_damaged_is_found_or_harmless
        soak/test_soak_data_sets.py::test_the_damage_of_every_data_set_is_found_or_harmless""",
    "a sample cannot be made": """
        end_to_end/test_loading_fails.py::test_the_sample_and_its_data_set_are_named_and_no_iteration_is_lost
        end_to_end/test_loading_fails.py::test_what_is_left_out_is_the_same_whoever_leaves_it_out
        data/test_stream.py::test_a_sample_that_fails_once_is_made_at_the_second_attempt""",
    "a loading process dies": """
        end_to_end/test_loading_fails.py::test_the_sample_and_its_data_set_are_named_and_no_iteration_is_lost
        end_to_end/test_loading_fails.py::test_a_process_that_died_is_replaced_and_nothing_differs
        data/test_stream.py::test_a_sample_that_kills_twice_is_named_or_left_out""",
    "loading hangs": """
        end_to_end/test_loading_fails.py::test_a_frozen_loading_process_ends_the_run_after_the_longest_wait
        end_to_end/test_loading_fails.py::test_a_signal_ends_a_run_that_waits_for_a_frozen_process""",
    "another process of the run dies": """
        end_to_end/test_several_processes.py::test_a_process_without_the_other_says_so_and_ends
        end_to_end/test_several_processes.py::test_what_fails_on_one_process_ends_both
        end_to_end/test_launchers.py::test_where_one_of_two_processes_is_killed_the_other_says_so""",
    "processes that take the same updates": """
        end_to_end/test_several_processes.py::test_processes_whose_weights_have_come_apart_write_no_checkpoint
        training/test_soundness.py::test_processes_with_other_weights_are_named_with_iteration_and_network
        training/test_soundness.py::test_a_bit_more_or_less_is_another_fingerprint_and_an_order_is_not""",
    "a validation fails": """
        end_to_end/test_continuing.py::test_a_validation_that_fails_costs_no_iteration""",
    "a loss or gradient is not finite": """
        end_to_end/test_stopping.py::test_a_loss_that_stays_not_a_number_ends_the_run
        end_to_end/test_stopping.py::test_no_checkpoint_is_of_a_streak_of_skipped_iterations
        end_to_end/test_not_finite.py::test_skipped_updates_are_counted_and_the_mean_is_of_the_others
        end_to_end/test_not_finite.py::test_they_are_said_once_in_words
        end_to_end/test_not_finite.py::test_the_batch_of_the_first_is_kept_and_replayed
        end_to_end/test_not_finite.py::test_not_a_number_on_one_of_two_processes_is_skipped_by_both_and_counted_once""",
    "weights, EMA or an optimizer": """
        end_to_end/test_stopping.py::test_no_checkpoint_has_infinite_weights
        end_to_end/test_not_finite.py::test_an_output_that_is_not_finite_names_iteration_network_and_fix""",
    "a run that starts from weights gets worse": """
        training/test_course.py::test_what_has_become_worse_is_said
        end_to_end/test_exact_resume.py::test_a_fine_tuning_is_validated_before_it_begins_and_compared_with_that""",
    "the disk is full": """
        end_to_end/test_stopping.py::test_a_disk_that_was_full_for_a_moment_changes_nothing
        end_to_end/test_stopping.py::test_a_refused_write_leaves_the_checkpoint_before_it
        test_files.py::test_a_refused_write_names_the_file_and_leaves_nothing""",
    "nobody reads the output": """
        end_to_end/test_stopping.py::test_a_run_whose_output_nobody_reads_any_more_goes_on
        test_errors.py::test_a_stream_that_nobody_reads_stops_nothing""",
    "building a data set is stopped": """
        commands/test_prepare_data.py::test_an_interrupted_build_says_how_to_go_on
        end_to_end/test_prepare_killed.py::test_a_build_killed_five_times_has_the_same_records
        data/test_prepare.py::test_a_full_disk_is_an_error_after_which_the_build_continues""",
    "upscaling is stopped or killed": """
        commands/test_upscale.py::test_what_is_finished_stays_after_control_c
        commands/test_upscale.py::test_what_a_kill_left_of_a_write_is_removed_by_the_next_one
        commands/test_upscale_videos.py::test_a_signal_stops_it_and_the_same_command_goes_on
        commands/test_upscale_videos.py::test_one_that_was_killed_goes_on_to_the_same_frames""",
    "two processes work in one folder": """
        runs/test_open_run.py::test_two_processes_cannot_train_in_one_folder
        data/test_prepare.py::test_two_builds_of_one_data_set_exclude_each_other
        commands/test_upscale.py::test_of_two_at_once_the_second_refuses_what_the_first_has_made""",
    "a picture is cut short or corrupt": """
        data/test_damaged_pictures.py::test_a_jpeg_that_ends_too_early_is_refused_by_name
        data/test_damaged_pictures.py::test_corrupt_codes_inside_are_refused
        data/test_damaged_pictures.py::test_so_is_every_other_format_cut_short
        commands/test_upscale.py::test_a_damaged_picture_is_named_and_enlarged_only_if_asked_for""",
}


def lines_of_the_table():
    text = (TESTS.parent / "README.md").read_text(encoding="utf-8")
    table = text.split("| if | what happens | what to do |\n|---|---|---|\n")[1].split("\n\n")[0]
    return [line.removeprefix("| ") for line in table.splitlines()]


def test_each_line_is_held_by_a_test():
    lines = lines_of_the_table()
    held = [[words for words in HELD_BY if line.startswith(words)] for line in lines]
    assert [line for line, words in zip(lines, held, strict=True) if len(words) != 1] == []
    assert len(lines) == len(HELD_BY)


@pytest.mark.parametrize("words", HELD_BY)
def test_the_tests_that_hold_it_exist(words):
    for test in HELD_BY[words].split():
        path, name = test.split("::")
        text = (TESTS / path).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), test
