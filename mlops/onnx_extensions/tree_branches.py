"""The branch that a missing value takes in scikit-learn's trees, which skl2onnx leaves out."""

from __future__ import annotations

from typing import Any

from skl2onnx.common import tree_ensemble
from skl2onnx.operator_converters import decision_tree, gradient_boosting, random_forest

_write_tree = tree_ensemble.add_tree_to_attribute_pairs


def register() -> None:
    """Let skl2onnx's own converters write the branches."""
    for module in (decision_tree, gradient_boosting, random_forest):
        module.add_tree_to_attribute_pairs = write_tree


def write_tree(
    attributes: dict[str, Any], is_classifier: bool, tree: Any, *args: Any, **options: Any
) -> None:
    """Add a tree to a node's attributes. For the arguments see skl2onnx."""
    _write_tree(attributes, is_classifier, tree, *args, **options)
    to_left = attributes["nodes_missing_value_tracks_true"]
    to_left[len(to_left) - tree.node_count :] = tree.missing_go_to_left.tolist()
