from pytorch_lightning.strategies import DDPStrategy


class ReplicaStrategy(DDPStrategy):
    """Lightning's processes and their group, without DistributedDataParallel around the module.

    DDP averages what one backward pass leaves. A step of a GAN has two, of different networks, and
    more where a batch is computed in parts: DDP then either refuses or averages both networks each
    time. The stages average themselves instead, once per optimizer step, what that step needs.
    """

    def configure_ddp(self) -> None:
        """Leave the module as it is."""
