import torch

from esrgan.weights.load import compare


def test_a_report_reads_as_a_few_plain_lines():
    in_file = {f"old{i}": torch.zeros(1) for i in range(7)} | {"a": torch.zeros(2, 3)}
    in_network = {"a": torch.zeros(3, 3), "b": torch.zeros(1)}
    report = compare(in_file | {"c": torch.zeros(1)}, in_network | {"c": torch.zeros(1)})
    assert str(report).splitlines() == [
        "1 of the network's 3 tensors fit: c 1",
        "1 missing from the file: b",
        "7 not in the network: old0, old1, old2, old3, old4, …",
        "1 of another shape: a (file 2x3, network 3x3)",
    ]
    assert not report.complete


def test_equal_keys_and_shapes_are_complete():
    assert compare({"a": torch.zeros(2)}, {"a": torch.ones(2)}).complete
