"""The least that Django needs.  The connection is that of psql: PGHOST, PGPORT, PGUSER, PGDATABASE."""
import os

SECRET_KEY = 'test'
USE_TZ = True
INSTALLED_APPS = ['shop']
DATABASES = {
    'default': {
        'ENGINE': 'django.db.backends.postgresql',
        'HOST': os.environ.get('PGHOST', ''),
        'PORT': os.environ.get('PGPORT', ''),
        'USER': os.environ.get('PGUSER', ''),
        'NAME': os.environ.get('PGDATABASE', ''),
        # Unqualified names are those of the ledger "shop".
        'OPTIONS': {'options': '-c search_path=shop'},
    }
}
