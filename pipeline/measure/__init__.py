"""What is measured while streams and jobs run, and the pages that tell Prometheus."""
