"""What people add to records: comments, attachments, tags, watches (DOMAIN 1.3). One type per module."""
