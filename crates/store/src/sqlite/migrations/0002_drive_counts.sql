-- The dashboard's counts of drives by kind and verdict, kept like the other counts. Drives of retired devices do not count.
CREATE TRIGGER count_drives AFTER UPDATE OF compliance, retired_at ON devices
WHEN OLD.compliance IS NOT NEW.compliance OR (OLD.retired_at IS NULL) <> (NEW.retired_at IS NULL)
BEGIN
    INSERT INTO counters
    SELECT 'drive.' || (value ->> 'kind') || '.' || (value ->> 'verdict'), -1
    FROM json_each(coalesce(OLD.compliance, '{}'), '$.volumes')
    WHERE OLD.retired_at IS NULL
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
    INSERT INTO counters
    SELECT 'drive.' || (value ->> 'kind') || '.' || (value ->> 'verdict'), 1
    FROM json_each(coalesce(NEW.compliance, '{}'), '$.volumes')
    WHERE NEW.retired_at IS NULL
    ON CONFLICT (name) DO UPDATE SET value = value + excluded.value;
END;
