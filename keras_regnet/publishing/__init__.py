"""Networks published for reuse: SavedModels, ONNX, LiteRT, model cards, and back."""
