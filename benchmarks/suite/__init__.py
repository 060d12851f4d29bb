"""The benchmark of sansio-cache: peers, hand-written limits and ours, side by side in interleaved rounds."""
