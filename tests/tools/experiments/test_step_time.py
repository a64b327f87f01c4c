from pathlib import Path

from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from tools.experiments import step_time

RECIPE = """\
generator: {name: dense, width: 4, latent: 4, conditional: true}
discriminator: {name: dense, width: 4}
train: {batch: 8}
"""


def test_both_loops_train_the_recipes_networks(tmp_path: Path) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(RECIPE)
    recipe = load_recipe(str(path))
    comparison = step_time.compare(
        recipe, Run(recipe, tmp_path).dataset, full=True, blocks=2, steps=3
    )
    assert set(comparison.ratio) == {"wall", "cpu"}
    assert all(ms > 0 for ms in [*comparison.trainer_ms.values(), *comparison.hand_ms.values()])
