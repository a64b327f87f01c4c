from pipeline.report.tree import leaves, lines


def test_leaves_get_dotted_keys_and_lists_stay_whole():
    tree = {"train": {"steps": 10, "loss": {"name": "hinge"}}, "gates": ["a", "b"], "slim": {}}
    assert dict(leaves(tree)) == {
        "train.steps": 10,
        "train.loss.name": "hinge",
        "gates": ["a", "b"],
        "slim": {},
    }


def test_lines_are_written_for_people():
    tree = {
        "cpu": {"name_of": "a cpu", "flags": ["avx2", "neon"]},
        "memory": 3 << 30,
        "cores": 2,
        "boost": False,
        "load": None,
        "extras": [],
    }
    assert lines(tree, none="not told") == [
        ("cpu.name of", "a cpu"),
        ("cpu.flags", "avx2, neon"),
        ("memory", "3.0 GiB"),
        ("cores", "2"),
        ("boost", "no"),
        ("load", "not told"),
        ("extras", "none"),
    ]
