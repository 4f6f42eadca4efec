"""The first page of a report: what stands out, the figures, two pictures, whom to call first, how sure it all is."""
