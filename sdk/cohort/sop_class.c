/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the standard storage SOP classes (PS3.6 table A-1, retired ones left out), so that a
 * person may write `sop_class = CTImageStorage`.  All begin with the same root, which is left out.
 */
#include "cohort/private.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define ROOT "1.2.840.10008.5.1.4.1.1."

static const struct sop_class {
	const char *suffix;
	const char *keyword;
} classes[] = {
    {"1", "ComputedRadiographyImageStorage"},
    {"1.1", "DigitalXRayImageStorageForPresentation"},
    {"1.1.1", "DigitalXRayImageStorageForProcessing"},
    {"1.2", "DigitalMammographyXRayImageStorageForPresentation"},
    {"1.2.1", "DigitalMammographyXRayImageStorageForProcessing"},
    {"1.3", "DigitalIntraOralXRayImageStorageForPresentation"},
    {"1.3.1", "DigitalIntraOralXRayImageStorageForProcessing"},
    {"2", "CTImageStorage"},
    {"2.1", "EnhancedCTImageStorage"},
    {"2.2", "LegacyConvertedEnhancedCTImageStorage"},
    {"3.1", "UltrasoundMultiFrameImageStorage"},
    {"4", "MRImageStorage"},
    {"4.1", "EnhancedMRImageStorage"},
    {"4.2", "MRSpectroscopyStorage"},
    {"4.3", "EnhancedMRColorImageStorage"},
    {"4.4", "LegacyConvertedEnhancedMRImageStorage"},
    {"6.1", "UltrasoundImageStorage"},
    {"6.2", "EnhancedUSVolumeStorage"},
    {"7", "SecondaryCaptureImageStorage"},
    {"7.1", "MultiFrameSingleBitSecondaryCaptureImageStorage"},
    {"7.2", "MultiFrameGrayscaleByteSecondaryCaptureImageStorage"},
    {"7.3", "MultiFrameGrayscaleWordSecondaryCaptureImageStorage"},
    {"7.4", "MultiFrameTrueColorSecondaryCaptureImageStorage"},
    {"9.1.1", "TwelveLeadECGWaveformStorage"},
    {"9.1.2", "GeneralECGWaveformStorage"},
    {"9.1.3", "AmbulatoryECGWaveformStorage"},
    {"9.2.1", "HemodynamicWaveformStorage"},
    {"9.3.1", "CardiacElectrophysiologyWaveformStorage"},
    {"9.4.1", "BasicVoiceAudioWaveformStorage"},
    {"9.4.2", "GeneralAudioWaveformStorage"},
    {"9.5.1", "ArterialPulseWaveformStorage"},
    {"9.6.1", "RespiratoryWaveformStorage"},
    {"9.6.2", "MultichannelRespiratoryWaveformStorage"},
    {"9.7.1", "RoutineScalpElectroencephalogramWaveformStorage"},
    {"9.7.2", "ElectromyogramWaveformStorage"},
    {"9.7.3", "ElectrooculogramWaveformStorage"},
    {"9.7.4", "SleepElectroencephalogramWaveformStorage"},
    {"9.8.1", "BodyPositionWaveformStorage"},
    {"11.1", "GrayscaleSoftcopyPresentationStateStorage"},
    {"11.2", "ColorSoftcopyPresentationStateStorage"},
    {"11.3", "PseudoColorSoftcopyPresentationStateStorage"},
    {"11.4", "BlendingSoftcopyPresentationStateStorage"},
    {"11.5", "XAXRFGrayscaleSoftcopyPresentationStateStorage"},
    {"11.6", "GrayscalePlanarMPRVolumetricPresentationStateStorage"},
    {"11.7", "CompositingPlanarMPRVolumetricPresentationStateStorage"},
    {"11.8", "AdvancedBlendingPresentationStateStorage"},
    {"11.9", "VolumeRenderingVolumetricPresentationStateStorage"},
    {"11.10", "SegmentedVolumeRenderingVolumetricPresentationStateStorage"},
    {"11.11", "MultipleVolumeRenderingVolumetricPresentationStateStorage"},
    {"12.1", "XRayAngiographicImageStorage"},
    {"12.1.1", "EnhancedXAImageStorage"},
    {"12.2", "XRayRadiofluoroscopicImageStorage"},
    {"12.2.1", "EnhancedXRFImageStorage"},
    {"13.1.1", "XRay3DAngiographicImageStorage"},
    {"13.1.2", "XRay3DCraniofacialImageStorage"},
    {"13.1.3", "BreastTomosynthesisImageStorage"},
    {"13.1.4", "BreastProjectionXRayImageStorageForPresentation"},
    {"13.1.5", "BreastProjectionXRayImageStorageForProcessing"},
    {"14.1", "IntravascularOpticalCoherenceTomographyImageStorageForPresentation"},
    {"14.2", "IntravascularOpticalCoherenceTomographyImageStorageForProcessing"},
    {"20", "NuclearMedicineImageStorage"},
    {"30", "ParametricMapStorage"},
    {"66", "RawDataStorage"},
    {"66.1", "SpatialRegistrationStorage"},
    {"66.2", "SpatialFiducialsStorage"},
    {"66.3", "DeformableSpatialRegistrationStorage"},
    {"66.4", "SegmentationStorage"},
    {"66.5", "SurfaceSegmentationStorage"},
    {"66.6", "TractographyResultsStorage"},
    {"67", "RealWorldValueMappingStorage"},
    {"68.1", "SurfaceScanMeshStorage"},
    {"68.2", "SurfaceScanPointCloudStorage"},
    {"77.1.1", "VLEndoscopicImageStorage"},
    {"77.1.1.1", "VideoEndoscopicImageStorage"},
    {"77.1.2", "VLMicroscopicImageStorage"},
    {"77.1.2.1", "VideoMicroscopicImageStorage"},
    {"77.1.3", "VLSlideCoordinatesMicroscopicImageStorage"},
    {"77.1.4", "VLPhotographicImageStorage"},
    {"77.1.4.1", "VideoPhotographicImageStorage"},
    {"77.1.5.1", "OphthalmicPhotography8BitImageStorage"},
    {"77.1.5.2", "OphthalmicPhotography16BitImageStorage"},
    {"77.1.5.3", "StereometricRelationshipStorage"},
    {"77.1.5.4", "OphthalmicTomographyImageStorage"},
    {"77.1.5.5", "WideFieldOphthalmicPhotographyStereographicProjectionImageStorage"},
    {"77.1.5.6", "WideFieldOphthalmicPhotography3DCoordinatesImageStorage"},
    {"77.1.5.7", "OphthalmicOpticalCoherenceTomographyEnFaceImageStorage"},
    {"77.1.5.8", "OphthalmicOpticalCoherenceTomographyBscanVolumeAnalysisStorage"},
    {"77.1.6", "VLWholeSlideMicroscopyImageStorage"},
    {"77.1.7", "DermoscopicPhotographyImageStorage"},
    {"78.1", "LensometryMeasurementsStorage"},
    {"78.2", "AutorefractionMeasurementsStorage"},
    {"78.3", "KeratometryMeasurementsStorage"},
    {"78.4", "SubjectiveRefractionMeasurementsStorage"},
    {"78.5", "VisualAcuityMeasurementsStorage"},
    {"78.6", "SpectaclePrescriptionReportStorage"},
    {"78.7", "OphthalmicAxialMeasurementsStorage"},
    {"78.8", "IntraocularLensCalculationsStorage"},
    {"79.1", "MacularGridThicknessAndVolumeReportStorage"},
    {"80.1", "OphthalmicVisualFieldStaticPerimetryMeasurementsStorage"},
    {"81.1", "OphthalmicThicknessMapStorage"},
    {"82.1", "CornealTopographyMapStorage"},
    {"88.11", "BasicTextSRStorage"},
    {"88.22", "EnhancedSRStorage"},
    {"88.33", "ComprehensiveSRStorage"},
    {"88.34", "Comprehensive3DSRStorage"},
    {"88.35", "ExtensibleSRStorage"},
    {"88.40", "ProcedureLogStorage"},
    {"88.50", "MammographyCADSRStorage"},
    {"88.59", "KeyObjectSelectionDocumentStorage"},
    {"88.65", "ChestCADSRStorage"},
    {"88.67", "XRayRadiationDoseSRStorage"},
    {"88.68", "RadiopharmaceuticalRadiationDoseSRStorage"},
    {"88.69", "ColonCADSRStorage"},
    {"88.70", "ImplantationPlanSRStorage"},
    {"88.71", "AcquisitionContextSRStorage"},
    {"88.72", "SimplifiedAdultEchoSRStorage"},
    {"88.73", "PatientRadiationDoseSRStorage"},
    {"88.74", "PlannedImagingAgentAdministrationSRStorage"},
    {"88.75", "PerformedImagingAgentAdministrationSRStorage"},
    {"88.76", "EnhancedXRayRadiationDoseSRStorage"},
    {"90.1", "ContentAssessmentResultsStorage"},
    {"91.1", "MicroscopyBulkSimpleAnnotationsStorage"},
    {"104.1", "EncapsulatedPDFStorage"},
    {"104.2", "EncapsulatedCDAStorage"},
    {"104.3", "EncapsulatedSTLStorage"},
    {"104.4", "EncapsulatedOBJStorage"},
    {"104.5", "EncapsulatedMTLStorage"},
    {"128", "PositronEmissionTomographyImageStorage"},
    {"128.1", "LegacyConvertedEnhancedPETImageStorage"},
    {"130", "EnhancedPETImageStorage"},
    {"131", "BasicStructuredDisplayStorage"},
    {"200.1", "CTDefinedProcedureProtocolStorage"},
    {"200.2", "CTPerformedProcedureProtocolStorage"},
    {"200.3", "ProtocolApprovalStorage"},
    {"200.7", "XADefinedProcedureProtocolStorage"},
    {"200.8", "XAPerformedProcedureProtocolStorage"},
    {"481.1", "RTImageStorage"},
    {"481.2", "RTDoseStorage"},
    {"481.3", "RTStructureSetStorage"},
    {"481.4", "RTBeamsTreatmentRecordStorage"},
    {"481.5", "RTPlanStorage"},
    {"481.6", "RTBrachyTreatmentRecordStorage"},
    {"481.7", "RTTreatmentSummaryRecordStorage"},
    {"481.8", "RTIonPlanStorage"},
    {"481.9", "RTIonBeamsTreatmentRecordStorage"},
    {"481.10", "RTPhysicianIntentStorage"},
    {"481.11", "RTSegmentAnnotationStorage"},
    {"481.12", "RTRadiationSetStorage"},
    {"481.13", "CArmPhotonElectronRadiationStorage"},
    {"481.14", "TomotherapeuticRadiationStorage"},
    {"481.15", "RoboticArmRadiationStorage"},
    {"481.16", "RTRadiationRecordSetStorage"},
    {"481.17", "RTRadiationSalvageRecordStorage"},
    {"481.18", "TomotherapeuticRadiationRecordStorage"},
    {"481.19", "CArmPhotonElectronRadiationRecordStorage"},
    {"481.20", "RoboticRadiationRecordStorage"},
    {"481.21", "RTRadiationSetDeliveryInstructionStorage"},
    {"481.22", "RTTreatmentPreparationStorage"},
    {"601.1", "EddyCurrentImageStorage"},
    {"601.2", "EddyCurrentMultiFrameImageStorage"},
};

#define CLASS_COUNT (sizeof classes / sizeof classes[0])

bool
cohort_sop_class_find(const char *keyword, char *ret_uid, size_t size)
{
	for (size_t i = 0; i < CLASS_COUNT; i++) {
		if (strcasecmp(classes[i].keyword, keyword) != 0)
			continue;
		return snprintf(ret_uid, size, "%s%s", ROOT, classes[i].suffix) < (int)size;
	}
	return false;
}

bool
cohort_sop_class_is_uid(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= 64 && strspn(text, "0123456789.") == length;
}

static const char *
keyword_at(const void *arg, size_t index)
{
	(void)arg;
	return index < CLASS_COUNT ? classes[index].keyword : NULL;
}

const char *
cohort_sop_class_suggest(const char *word)
{
	return text_suggest(word, keyword_at, NULL);
}
