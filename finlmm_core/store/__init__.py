"""What a run keeps on disk: images, one file a document and step, manifests."""
