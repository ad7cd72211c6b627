"""Where pictures come from: kernel video devices, files, network cameras. Decoding codes is not done here."""
