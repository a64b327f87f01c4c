from pipeline.report.tree import leaves


def test_leaves_get_dotted_keys_and_lists_stay_whole():
    tree = {"train": {"steps": 10, "loss": {"name": "hinge"}}, "gates": ["a", "b"], "slim": {}}
    assert dict(leaves(tree)) == {
        "train.steps": 10,
        "train.loss.name": "hinge",
        "gates": ["a", "b"],
        "slim": {},
    }
