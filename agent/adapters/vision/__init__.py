"""What a picture says: decoders, how a picture is treated for them, and when it is worth looking at all."""
