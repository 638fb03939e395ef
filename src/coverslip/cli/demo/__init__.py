"""The demonstration: the main job on real images, through the same commands and interface as a lab's."""
