"""What there is to see of the service, from the store alone; the page, the API, the metrics and `status` show it."""
