"""What a training costs, and how many threads it may take."""

from metalm.jobs.resources import ResourceMeter, all_cores, threads_beside_the_app


def test_a_core_is_left_for_the_pages_where_there_are_two():
    assert threads_beside_the_app() == max(1, all_cores() - 1)
    assert all_cores() >= 1


def test_a_sample_holds_the_use_of_this_process():
    sample = ResourceMeter().sample()
    assert sample["memory_bytes"] > 1_000_000
    assert sample["cpu_percent"] >= 0
    assert set(sample) in (
        {"cpu_percent", "memory_bytes"},
        {"cpu_percent", "memory_bytes", "gpu_percent", "gpu_memory_bytes"},
    )
