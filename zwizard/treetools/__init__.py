"""Programs that write trees, file systems and archives; builds run each as a process."""
