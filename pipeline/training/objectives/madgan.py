"""MAD-GAN: several generators, and a discriminator that also tells which of them drew (Ghosh 2018).

To tell them apart it must find something in which they differ, and what it then says of each drives
them to different pictures. The generators are values of the discrete code: one network, in which
they share all but what their code adds to the first layer, so that one file holds them all.
"""

from pipeline.arrays import Tensor
from pipeline.training.losses import Verdict
from pipeline.training.objectives.generation import Generation, GenerationBatch
from pipeline.training.objectives.infogan import InfoGAN


class MADGAN(InfoGAN):
    """As InfoGAN, but only the discriminator learns to read the code.

    Ghosh's softmax over all generators and the data (equation 3) is parted in two, which give the
    same loss: a logit of what is real, and a softmax over the generators of what is not.
    """

    def generator_loss(self, batch: GenerationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """As ever: a generator is to look real, not to look like itself (equation 2)."""
        return Generation.generator_loss(self, batch, fakes, verdict)

    def figures(self) -> dict[str, float]:
        """How well the generators are told apart."""
        return {"generators_told_apart": super().figures()["discrete_code"]}
